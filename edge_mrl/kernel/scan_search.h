/* ---- 7. A whole search --------------------------------------------------------------------- */

/* One pass of a stage's rotation; see emk_turn. */
struct turn {
    uint64_t signs; /* `size` float32 */
    int64_t start, size;
    double factor; /* a float32 */
};

/* A slice of the rows: what is scanned, or looked at again. */
struct stage {
    uint64_t blocks; /* `count` struct block */
    int64_t count;
    int64_t dim, bits, columns;
    uint64_t turns; /* `turn_count` struct turn */
    int64_t turn_count;
    uint64_t levels; /* the first stage: float32 levels; later ones: int8 levels */
    int64_t rows;    /* of all blocks */
};

INLINE int64_t stride_of(int64_t columns) { return (columns + 63) / 64 * 64; }

/* The first `dim` coordinates of the query, turned as the stage's codes are. */
static void turned(const struct stage *stage, const float *query, float *values) {
    const struct turn *turns = (const struct turn *)(uintptr_t)stage->turns;
    for (int64_t i = 0; i < stage->dim; i++)
        values[i] = query[i];
    for (int64_t t = 0; t < stage->turn_count; t++)
        emk_turn(values + turns[t].start, (const float *)(uintptr_t)turns[t].signs, turns[t].size,
                 (float)turns[t].factor);
}

/* Scan the first stage and keep its best keeps[0], look at those again in the next stage, and so
 * on: `reference.search` in one call.
 *
 * work: 5 x capacity int64, capacity >= each of `keeps` + 64. scratch: for the largest of the
 * stages, 4 bytes x dim rounded up to 64, then room for its integers: 32 bytes x columns, or dim
 * and 8 / bits x columns filled up to 64. The result stands in `work` as that of emk_scan. */
EXPORT int64_t emk_search(int target, const float *query, const struct stage *stages, int64_t count,
                          const int64_t *keeps, int64_t capacity, int64_t *work, uint8_t *scratch) {
    struct keeper keeper;
    int64_t *listed = work + 4 * capacity;
    keeper_place(&keeper, work, capacity);
    keeper.count = 0;
    for (int64_t s = 0; s < count; s++) {
        const struct stage *stage = &stages[s];
        const struct block *blocks = (const struct block *)(uintptr_t)stage->blocks;
        const int bits = (int)stage->bits;
        float *values = (float *)scratch;
        uint8_t *integers = scratch + 4 * stride_of(stage->dim);
        turned(stage, query, values);
        struct query prepared = {0, (const int8_t *)integers, stage->columns, 0};
        if (s == 0) {
            if (bits < 8) {
                prepared.entries = integers;
                prepared.offset = emk_table(values, stage->dim, bits,
                                            (const float *)(uintptr_t)stage->levels,
                                            2 * stage->columns, integers);
            } else {
                emk_weights(values, stage->dim, (int8_t *)integers);
            }
            first_look(targets[target].chunk, &prepared, blocks, stage->count, keeps[0], &keeper);
            continue;
        }
        const int64_t found = keeper.count;
        for (int64_t i = 0; i < found; i++)
            listed[i] = keeper.positions[i];
        emk_weights(values, stage->dim, (int8_t *)integers);
        struct packed packed;
        if (bits < 8) {
            const int64_t stride = stride_of(stage->columns);
            int8_t *planes = (int8_t *)integers + stride_of(stage->dim);
            packed_weights((const int8_t *)integers, stage->dim, bits, stride, planes);
            packed = packed_of(planes, stage->columns, stride, bits,
                               (const int8_t *)(uintptr_t)stage->levels);
        }
        keeper_start(&keeper, keeps[s], LOWEST);
        second_look(target, &prepared, bits < 8 ? &packed : 0, blocks, listed, found, &keeper);
        keeper_prune(&keeper);
    }
    keeper_sort(&keeper);
    return keeper.count;
}

/* Many queries, shared out among threads: each calls this with the same `next`, a counter that
 * starts at 0, takes the next query that nobody has, and leaves when there is none. So a thread that
 * another process holds up delays one query, not half of them.
 *
 * queries: `many` rows of `width` float32. positions, scores: many x room, room >= the last keep.
 * found: how many each query has. work, scratch: the thread's own, as emk_search. */
EXPORT void emk_search_many(int target, const float *queries, int64_t width, int32_t many,
                            const struct stage *stages, int64_t count, const int64_t *keeps,
                            int64_t capacity, int64_t *work, uint8_t *scratch, int32_t *next,
                            int64_t room, int64_t *positions, int64_t *scores, int64_t *found) {
    for (;;) {
        const int32_t query = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
        if (query >= many || query < 0)
            return;
        const int64_t here = emk_search(target, queries + query * width, stages, count, keeps,
                                        capacity, work, scratch);
        for (int64_t i = 0; i < here; i++) {
            scores[query * room + i] = work[i];
            positions[query * room + i] = work[capacity + i];
        }
        found[query] = here;
    }
}
