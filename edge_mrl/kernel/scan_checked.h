/* ---- 10. Rows of whole numbers, with a checksum or checked before -------------------------- */

/* Coordinates whose products fit 32 bits together: 128 x 4097 each at most. */
#define SUMMED_COORDINATES 1024

/* Picked rows lie far apart: so many ahead are asked for. */
#define PICKED_AHEAD 4

/* CRC-32 (the one of zlib) of some bytes, going on from `crc`, not yet inverted. tables: 8 x 256, see
 * checked_rows.py; eight bytes at a time, as Intel's "slicing by 8" does. */
static uint32_t crc_on(const uint32_t *tables, uint32_t crc, const uint8_t *bytes, int64_t size) {
    for (; size >= 8; size -= 8, bytes += 8) {
        const uint32_t first = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                                      (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
        crc = tables[7 * 256 + (first & 255)] ^ tables[6 * 256 + (first >> 8 & 255)] ^
              tables[5 * 256 + (first >> 16 & 255)] ^ tables[4 * 256 + (first >> 24)] ^
              tables[3 * 256 + bytes[4]] ^ tables[2 * 256 + bytes[5]] ^ tables[256 + bytes[6]] ^
              tables[bytes[7]];
    }
    for (; size > 0; size--, bytes++)
        crc = tables[(crc ^ *bytes) & 255] ^ crc >> 8;
    return crc;
}

/* Whether a record ends with the CRC-32 of its row number and what stands before. */
static int is_sound(const uint32_t *tables, int64_t row, const uint8_t *record, int64_t size) {
    uint8_t number[8];
    for (int byte = 0; byte < 8; byte++)
        number[byte] = (uint8_t)((uint64_t)row >> (8 * byte));
    const uint32_t crc = crc_on(tables, 0xffffffffu, number, 8);
    return ~crc_on(tables, crc, record, size) == 0x2144df1cu; /* see vector_rows.py */
}

/* Dot products of a row with both halves of the query, and with itself. */
static void row_sums(const int8_t *row, const int16_t *high, const int16_t *low, int64_t dim,
                     int64_t sums[3]) {
    sums[0] = sums[1] = sums[2] = 0;
    for (int64_t start = 0; start < dim; start += SUMMED_COORDINATES) {
        const int64_t left = dim - start;
        const int64_t stop = start + (left < SUMMED_COORDINATES ? left : SUMMED_COORDINATES);
        int32_t upper = 0, lower = 0, squares = 0;
        for (int64_t i = start; i < stop; i++) {
            const int16_t value = row[i];
            upper += value * high[i];
            lower += value * low[i];
            squares += value * value;
        }
        sums[0] += upper;
        sums[1] += lower;
        sums[2] += squares;
    }
}

/* The query's coordinates as whole numbers, each in two halves of at most 13 bits and 12. */
static void halve(const float *query, int64_t dim, int16_t *high, int16_t *low) {
    for (int64_t i = 0; i < dim; i++) {
        const int32_t whole = (int32_t)nearest((double)query[i] * 0x1p24);
        high[i] = (int16_t)(whole >> 12);
        low[i] = (int16_t)(whole & 4095);
    }
}

/* `checked_rows.row_products`. records: count of `size` bytes, int8 numbers and four of CRC-32.
 * query: size - 4 float32, -1 to 1 but for rounding. halves: room for twice as many int16. products,
 * squares: count. Returns how many rows are sound before the first that is not, if any. */
EXPORT int64_t emk_row_products(const uint8_t *records, int64_t size, const int64_t *rows,
                                int64_t count, const float *query, const uint32_t *tables,
                                int16_t *halves, double *products, double *squares) {
    const int64_t dim = size - 4;
    int16_t *high = halves, *low = halves + dim;
    int64_t sums[3];
    halve(query, dim, high, low);
    for (int64_t i = 0; i < count; i++, records += size) {
        if (!is_sound(tables, rows[i], records, size))
            return i;
        row_sums((const int8_t *)records, high, low, dim, sums);
        products[i] = (double)(sums[0] * 4096 + sums[1]);
        squares[i] = (double)sums[2];
    }
    return count;
}

/* `checked_rows.picked_products`. table: `rows` of `dim` int8. places: count of them. query: as
 * above. halves: room for 2 x dim int16. products: count. Returns 0, and does nothing, where a place is
 * outside the table. */
EXPORT int emk_picked_products(const int8_t *table, int64_t rows, int64_t dim,
                               const int64_t *places, int64_t count, const float *query,
                               int16_t *halves, double *products) {
    const int16_t *high = halves, *low = halves + dim;
    int inside = 1;
    for (int64_t i = 0; i < count; i++)
        inside &= (uint64_t)places[i] < (uint64_t)rows;
    if (!inside)
        return 0;
    halve(query, dim, halves, halves + dim);
    for (int64_t i = 0; i < count; i++) {
        const int8_t *row = table + places[i] * dim;
        if (i + PICKED_AHEAD < count)
            for (int64_t byte = 0; byte < dim; byte += 64)
                __builtin_prefetch(table + places[i + PICKED_AHEAD] * dim + byte);
        int64_t sum = 0;
        for (int64_t start = 0; start < dim; start += SUMMED_COORDINATES) {
            const int64_t left = dim - start;
            const int64_t stop = start + (left < SUMMED_COORDINATES ? left : SUMMED_COORDINATES);
            int32_t upper = 0, lower = 0;
            for (int64_t j = start; j < stop; j++) {
                const int16_t value = row[j];
                upper += value * high[j];
                lower += value * low[j];
            }
            sum += (int64_t)upper * 4096 + lower;
        }
        products[i] = (double)sum;
    }
    return 1;
}
