/* ---- 11. Codes from their planes ----------------------------------------------------------- */

/* A byte with `bits` bits from each of its bits to the next, 2 or 4. */
INLINE uint32_t spread(uint32_t byte, const int bits) {
    if (bits == 2) {
        byte = (byte | byte << 4) & 0x0f0f;
        byte = (byte | byte << 2) & 0x3333;
        return (byte | byte << 1) & 0x5555;
    }
    byte = (byte | byte << 12) & 0x000f000f;
    byte = (byte | byte << 6) & 0x03030303;
    return (byte | byte << 3) & 0x11111111;
}

/* The code numbers of one column. row: the planes, from the highest bits on. */
INLINE uint32_t join_column(const uint8_t *row, int64_t columns, int64_t column, const int bits) {
    uint32_t found = 0;
    for (int plane = 0; plane < bits; plane++)
        found = found << 1 | spread(row[plane * columns + column], bits);
    return found;
}

/* The codes of one row; the last column may be cut off. */
INLINE void join_row(const uint8_t *restrict row, int64_t columns, const int bits,
                     uint8_t *restrict codes, int64_t code_bytes) {
    const int64_t whole = bits == 2 ? code_bytes >> 1 : code_bytes >> 2;
    for (int64_t column = 0; column < whole; column++) {
        const uint32_t found = join_column(row, columns, column, bits);
        for (int byte = 0; byte < bits; byte++)
            codes[column * bits + byte] = (uint8_t)(found >> (8 * byte));
    }
    if (whole < columns)
        for (int64_t byte = whole * bits; byte < code_bytes; byte++)
            codes[byte] =
                (uint8_t)(join_column(row, columns, whole, bits) >> (8 * (byte - whole * bits)));
}

/* `bit_planes.join_planes`: codes of 2 or 4 bits from their lower planes and 1-bit codes.
 *
 * planes: rows x (bits - 1) x columns. scan: ceil(rows / 64) x columns x 64. codes: rows x
 * code_bytes, which the planes may be the end of: all planes of a row are copied to `row`, room for
 * bits x columns, before anything is written. */
EXPORT void emk_join_planes(const uint8_t *planes, const uint8_t *scan, int64_t rows,
                            int64_t columns, int bits, uint8_t *codes, int64_t code_bytes,
                            uint8_t *row) {
    for (int64_t number = 0; number < rows; number++, codes += code_bytes) {
        const uint8_t *highest = scan + number / BLOCK * columns * BLOCK + number % BLOCK;
        for (int64_t column = 0; column < columns; column++)
            row[column] = highest[column * BLOCK];
        for (int plane = bits - 2; plane >= 0; plane--)
            for (int64_t column = 0; column < columns; column++)
                row[(bits - 1 - plane) * columns + column] = planes[plane * columns + column];
        planes += (bits - 1) * columns;
        if (bits == 2)
            join_row(row, columns, 2, codes, code_bytes);
        else
            join_row(row, columns, 4, codes, code_bytes);
    }
}
