/* ---- 5. A second look at some rows --------------------------------------------------------- */

/* A place in a list of blocks, moved forward to rising positions. */
struct walker {
    const struct block *block;
    int64_t first; /* position of the block's first row */
};

INLINE int64_t walk(struct walker *walker, int64_t position) {
    while (position - walker->first >= walker->block->rows)
        walker->first += walker->block++->rows;
    return position - walker->first;
}

/* Rows ahead that are asked for while others are computed: they lie far apart. */
#define AHEAD 24

/* Offer the rows at `positions`, which rise, to the keeper. 8-bit codes where `packed` is NULL. */
static void second_look(int target, const struct query *query, const struct packed *packed,
                        const struct block *blocks, const int64_t *positions, int64_t count,
                        struct keeper *keeper) {
    const int64_t columns = packed ? packed->columns : query->columns;
    struct walker here = {blocks, 0}, ahead = {blocks, 0};
    for (int64_t i = 0; i < count + AHEAD; i++) {
        if (i < count) {
            const int64_t row = walk(&ahead, positions[i]);
            const uint8_t *codes = (const uint8_t *)(uintptr_t)ahead.block->codes + row * columns;
            for (int64_t byte = 0; byte < columns; byte += 64)
                __builtin_prefetch(codes + byte);
            __builtin_prefetch((const uint16_t *)(uintptr_t)ahead.block->gains + row);
        }
        if (i < AHEAD)
            continue;
        const int64_t row = walk(&here, positions[i - AHEAD]);
        const uint8_t *codes = (const uint8_t *)(uintptr_t)here.block->codes + row * columns;
        int32_t value;
        if (packed)
            value = targets[target].packed(packed, codes);
        else
            targets[target].dots(query, codes, 1, &value);
        keeper_offer(keeper, 1, &value, (const uint16_t *)(uintptr_t)here.block->gains + row, 0,
                     positions[i - AHEAD]);
    }
}

/* levels: of int8, 2^bits of them, rising. */
static struct packed packed_of(const int8_t *weights, int64_t columns, int64_t stride, int bits,
                               const int8_t *levels) {
    struct packed packed = {weights, columns, stride, bits, 0, {0}};
    for (int code = 0; code < 1 << bits; code++)
        packed.levels[code] = (uint8_t)(levels[code] - levels[0]);
    for (int64_t i = 0; i < stride * (8 >> (bits >> 1)); i++)
        packed.offset += weights[i] * levels[0];
    return packed;
}

/* Find the best `keep` of the rows at `positions`, which rise. Codes stand row after row; a mask is
 * not looked at, because the rows come from a scan. weights: see struct packed, or for 8 bits as
 * many as columns. work and the result: as emk_scan. */
EXPORT int64_t emk_rescore(int target, int bits, const int8_t *weights, int64_t columns,
                           int64_t stride, const int8_t *levels, const struct block *blocks,
                           const int64_t *positions, int64_t count, int64_t keep, int64_t capacity,
                           int64_t *work) {
    const struct query query = query_of(0, weights, columns, 0);
    struct packed packed;
    struct keeper keeper;
    if (bits < 8)
        packed = packed_of(weights, columns, stride, bits, levels);
    keeper_place(&keeper, work, capacity);
    keeper_start(&keeper, keep, LOWEST);
    second_look(target, &query, bits < 8 ? &packed : 0, blocks, positions, count, &keeper);
    keeper_prune(&keeper);
    keeper_sort(&keeper);
    return keeper.count;
}

/* Every row's score in a second look. scores: block->rows int64. */
EXPORT void emk_row_scores(int target, int bits, const int8_t *weights, int64_t columns,
                           int64_t stride, const int8_t *levels, const struct block *block,
                           int64_t *scores) {
    const struct packed packed = packed_of(weights, columns, stride, bits, levels);
    const uint8_t *codes = (const uint8_t *)(uintptr_t)block->codes;
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
    for (int64_t row = 0; row < block->rows; row++, codes += columns)
        scores[row] = (int64_t)targets[target].packed(&packed, codes) * gains[row];
}
