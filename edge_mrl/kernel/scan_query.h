/* ---- 6. Making a query --------------------------------------------------------------------- */

/* One pass of the rotation in place: signs, Walsh-Hadamard, factor. size: a power of two. */
EXPORT void emk_turn(float *values, const float *signs, int64_t size, float factor) {
    for (int64_t i = 0; i < size; i++)
        values[i] *= signs[i];
    for (int64_t half = 1; half < size; half *= 2)
        for (int64_t start = 0; start < size; start += 2 * half)
            for (int64_t i = start; i < start + half; i++) {
                const float a = values[i], b = values[i + half];
                values[i] = a + b;
                values[i + half] = a - b;
            }
    for (int64_t i = 0; i < size; i++)
        values[i] *= factor;
}

/* To the nearest whole number, halves to even, for |x| < 2^51: adding 1.5 x 2^52 leaves no bits for
 * a fraction, and the CPU rounds by that very rule. */
static double nearest(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

/* Codes in a nibble: 4, 2, 1. (A division would call the compiler's own library on some CPUs.) */
static int codes_per_nibble(int bits) { return 4 >> (bits >> 1); }

/* level[place][value]: the level of the code at that place of a nibble. */
static void spread_levels(int bits, const float *levels, double level[4][16]) {
    for (int place = 0; place < codes_per_nibble(bits); place++)
        for (int value = 0; value < 16; value++)
            level[place][value] = (double)levels[value >> (place * bits) & ((1 << bits) - 1)];
}

/* The coordinate of the query at a place of a nibble. */
INLINE double coordinate_at(const float *query, int64_t dim, int64_t at) {
    return at < dim ? (double)query[at] : 0.0;
}

/* What the 16 values of one nibble stand for, less the least of them. */
static void nibble_table(const float *query, int64_t dim, int per_nibble, int64_t nibble,
                         double level[4][16], double low, double *table) {
    for (int value = 0; value < 16; value++)
        table[value] = 0.0;
    for (int place = 0; place < per_nibble; place++) {
        const double coordinate = coordinate_at(query, dim, nibble * per_nibble + place);
        for (int value = 0; value < 16; value++)
            table[value] += coordinate * level[place][value];
    }
    for (int value = 0; value < 16; value++)
        table[value] -= low;
}

/* The least of them, and how far the largest lies above it. Rounding never changes which of two sums
 * is the larger, so each end is the sum of the ends of its places, without the values between. */
static double nibble_low(const float *query, int64_t dim, int per_nibble, int64_t nibble,
                         double level[4][16], double *span) {
    double low = 0.0, high = 0.0;
    for (int place = 0; place < per_nibble; place++) {
        const double coordinate = coordinate_at(query, dim, nibble * per_nibble + place);
        const double first = coordinate * level[place][0], last = coordinate * level[place][15];
        low += first < last ? first : last;
        high += first < last ? last : first;
    }
    *span = high - low;
    return low;
}

/* `prepare` of quantizer.py for 1, 2 and 4 bits. entries: nibbles x 16. factor: what the query was
 * multiplied by. Returns the offset. */
EXPORT int32_t emk_table(const float *query, int64_t dim, int bits, const float *levels,
                         int64_t nibbles, uint8_t *entries, double *factor) {
    double level[4][16], table[16], low_sum = 0.0, largest = 0.0, span;
    const int per_nibble = codes_per_nibble(bits);
    spread_levels(bits, levels, level);
    for (int64_t nibble = 0; nibble < nibbles; nibble++) {
        low_sum += nibble_low(query, dim, per_nibble, nibble, level, &span);
        largest = span > largest ? span : largest;
    }
    const double scale = largest == 0.0 ? 0.0 : LARGEST_ENTRY / largest;
    *factor = scale;
    for (int64_t nibble = 0; nibble < nibbles; nibble++, entries += 16) {
        const double low = nibble_low(query, dim, per_nibble, nibble, level, &span);
        nibble_table(query, dim, per_nibble, nibble, level, low, table);
        for (int value = 0; value < 16; value++)
            entries[value] = (uint8_t)(int32_t)nearest(table[value] * scale);
    }
    return (int32_t)nearest(low_sum * scale);
}

/* `prepare` of quantizer.py for 8 bits. weights: dim. factor: as emk_table. */
EXPORT void emk_weights(const float *query, int64_t dim, int8_t *weights, double *factor) {
    double top = 0.0;
    for (int64_t i = 0; i < dim; i++) {
        const double size = query[i] < 0 ? -(double)query[i] : (double)query[i];
        top = size > top ? size : top;
    }
    const double scale = top == 0.0 ? 0.0 : 127.0 / top;
    *factor = scale;
    for (int64_t i = 0; i < dim; i++)
        weights[i] = (int8_t)(int32_t)nearest((double)query[i] * scale);
}

/* The same weights as struct packed wants them: 8 / bits planes of `stride`. dim: at most as many
 * as there are codes in a row. */
static void packed_weights(const int8_t *weights, int64_t dim, int bits, int64_t stride,
                           int8_t *planes) {
    const int per_byte = 8 >> (bits >> 1), shift = 3 - (bits >> 1);
    for (int64_t i = 0; i < per_byte * stride; i++)
        planes[i] = 0;
    for (int64_t i = 0; i < dim; i++)
        planes[(i & (per_byte - 1)) * stride + (i >> shift)] = weights[i];
}
