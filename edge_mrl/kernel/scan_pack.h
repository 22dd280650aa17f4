/* ---- 8. Vectors to codes ------------------------------------------------------------------- */

/* `packer.pack_rows`: codes of 1, 2 or 4 bits from vectors of whole numbers.
 *
 * rows: `count` of `width` int8. lengths: of their first `dim` numbers. thresholds: 2^bits - 1,
 * rising. codes: count x (dim x bits + 7) / 8, zeroed. scratch: dim float32. */
EXPORT void emk_pack(const int8_t *rows, int64_t count, int64_t width, const double *lengths,
                     int64_t dim, int bits, const struct turn *turns, int64_t turn_count,
                     const float *thresholds, const float *levels, float root, uint8_t *codes,
                     float *scales, float *scratch) {
    const int64_t columns = (dim * bits + 7) >> 3;
    const int steps = (1 << bits) - 1, shift = 3 - (bits >> 1), per_byte = 1 << shift;
    for (int64_t row = 0; row < count; row++, rows += width, codes += columns) {
        int any = 0;
        for (int64_t i = 0; i < dim; i++) {
            any |= rows[i];
            scratch[i] = (float)((double)rows[i] / lengths[row]);
        }
        for (int64_t t = 0; t < turn_count; t++)
            emk_turn(scratch + turns[t].start, (const float *)(uintptr_t)turns[t].signs,
                     turns[t].size, (float)turns[t].factor);
        double overlap = 0.0;
        for (int64_t i = 0; i < dim; i++) {
            const float spread = scratch[i] * root;
            int number = 0;
            for (int step = 0; step < steps; step++)
                number += spread >= thresholds[step];
            overlap += (double)levels[number] * (double)scratch[i];
            codes[i >> shift] |= (uint8_t)(number << (i & (per_byte - 1)) * bits);
        }
        scales[row] = any ? (float)(1.0 / overlap) : 0.0f;
    }
}
