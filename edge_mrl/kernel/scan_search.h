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

/* The first stage's query, made in scratch. */
static struct query first_query(const struct stage *stage, const float *query, uint8_t *scratch,
                                double *factor) {
    float *values = (float *)scratch;
    uint8_t *integers = scratch + 4 * stride_of(stage->dim);
    struct query prepared = {0, (const int8_t *)integers, stage->columns, 0};
    turned(stage, query, values);
    if (stage->bits < 8) {
        prepared.entries = integers;
        prepared.offset =
            emk_table(values, stage->dim, (int)stage->bits,
                      (const float *)(uintptr_t)stage->levels, 2 * stage->columns, integers, factor);
    } else {
        emk_weights(values, stage->dim, (int8_t *)integers, factor);
    }
    return prepared;
}

/* Look at the keeper's rows again in a later stage, and leave the best `keep` of them. listed: room
 * for as many as there are. */
static void look_again(int target, const struct stage *stage, const float *query, int64_t keep,
                       int64_t *listed, uint8_t *scratch, double *factor, struct keeper *keeper) {
    const int bits = (int)stage->bits;
    float *values = (float *)scratch;
    int8_t *weights = (int8_t *)scratch + 4 * stride_of(stage->dim);
    const struct query whole = {0, weights, stage->columns, 0};
    struct packed packed;
    const int64_t found = keeper->count;
    for (int64_t i = 0; i < found; i++)
        listed[i] = keeper->positions[i];
    turned(stage, query, values);
    emk_weights(values, stage->dim, weights, factor);
    if (bits < 8) {
        const int64_t stride = stride_of(stage->columns);
        int8_t *planes = weights + stride_of(stage->dim);
        packed_weights(weights, stage->dim, bits, stride, planes);
        packed = packed_of(planes, stage->columns, stride, bits,
                           (const int8_t *)(uintptr_t)stage->levels);
    }
    keeper_start(keeper, keep, LOWEST);
    second_look(target, &whole, bits < 8 ? &packed : 0,
                (const struct block *)(uintptr_t)stage->blocks, listed, found, keeper);
    keeper_prune(keeper);
}

/* Leave all living rows in the keeper, by rising position, without scores: where a scan would hand on
 * all of them anyway. */
static void every_row(const struct stage *stage, int64_t keep, struct keeper *keeper) {
    const struct block *block = (const struct block *)(uintptr_t)stage->blocks;
    int64_t position = 0;
    keeper_start(keeper, keep, LOWEST);
    for (const struct block *end = block + stage->count; block < end; block++) {
        const uint8_t *alive = (const uint8_t *)(uintptr_t)block->alive;
        for (int64_t row = 0; row < block->rows; row++, position++) {
            keeper->positions[keeper->count] = position;
            keeper->count += !alive || alive[row];
        }
    }
}

/* Scan the first stage and keep its best keeps[0], look at those again in the next stage, and so
 * on: `reference.search` in one call.
 *
 * work: 5 x capacity int64, capacity >= each of `keeps` + 64. scratch: for the largest of the
 * stages, 4 bytes x dim rounded up to 64, then room for its integers: 32 bytes x columns, or dim
 * and 8 / bits x columns filled up to 64. The result stands in `work` as that of emk_scan; factor:
 * what the last stage's query was multiplied by. */
EXPORT int64_t emk_search(int target, const float *query, const struct stage *stages, int64_t count,
                          const int64_t *keeps, int64_t capacity, int64_t *work, uint8_t *scratch,
                          double *factor) {
    struct keeper keeper;
    keeper_place(&keeper, work, capacity);
    if (count > 1 && keeps[0] >= stages->rows) {
        every_row(stages, keeps[0], &keeper);
    } else {
        const struct query prepared = first_query(stages, query, scratch, factor);
        first_look(targets[target].chunk, &prepared,
                   (const struct block *)(uintptr_t)stages->blocks, stages->count, keeps[0],
                   &keeper);
    }
    for (int64_t s = 1; s < count; s++)
        look_again(target, &stages[s], query, keeps[s], work + 4 * capacity, scratch, factor,
                   &keeper);
    keeper_sort(&keeper);
    return keeper.count;
}

/* The number that `next` held; nobody else gets it. On 64-bit ARM compilers call their own library
 * for this, which in turn asks the C library what the CPU can; so here it is spelled out. */
static int32_t take_number(int32_t *next) {
#if defined(__aarch64__)
    int32_t taken, following;
    uint32_t failed;
    do {
        __asm__ volatile("ldxr %w0, %3\n\tadd %w1, %w0, #1\n\tstxr %w2, %w1, %3"
                         : "=&r"(taken), "=&r"(following), "=&r"(failed), "+Q"(*next));
    } while (failed);
    return taken;
#else
    return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
#endif
}

/* Rows that a thread takes at a time: some tens of microseconds. */
#define PIECE 8192

/* A thread's share of a scan: pieces that nobody has taken yet, counted by `next`, which starts at 0
 * and is the same for all threads. A thread that another process holds up delays the search by a
 * piece, not by half. The best `keep` of the share stand in `work`, by rising position. */
EXPORT int64_t emk_scan_share(int target, const float *query, const struct stage *stage,
                              int64_t keep, int64_t capacity, int64_t *work, uint8_t *scratch,
                              int32_t *next) {
    struct keeper keeper;
    double factor;
    const struct query prepared = first_query(stage, query, scratch, &factor);
    const struct block *blocks = (const struct block *)(uintptr_t)stage->blocks;
    keeper_place(&keeper, work, capacity);
    keeper.bar = bar_of(&prepared, blocks, stage->count);
    keeper_start(&keeper, keep, LOWEST);
    int64_t block = 0, before = 0, position = 0;
    for (;;) {
        const int64_t piece = take_number(next);
        /* `before` pieces stand in the blocks before this one. */
        while (block < stage->count && piece - before >= (blocks[block].rows + PIECE - 1) / PIECE) {
            before += (blocks[block].rows + PIECE - 1) / PIECE;
            position += blocks[block++].rows;
        }
        if (block == stage->count)
            break;
        const int64_t first = (piece - before) * PIECE;
        const int64_t rows =
            blocks[block].rows - first < PIECE ? blocks[block].rows - first : PIECE;
        sweep_rows(targets[target].chunk, &prepared, &blocks[block], first, rows,
                   position, &keeper);
    }
    keeper_prune(&keeper);
    return keeper.count;
}

/* Many queries, shared out among threads: each calls this with the same `next`, a counter that
 * starts at 0, takes the next query that nobody has, and leaves when there is none. So a thread that
 * another process holds up delays one query, not half of them.
 *
 * queries: `many` rows of `width` float32. positions, scores: many x room, room >= the last keep.
 * found: how many each query has. factors: as many as queries. work, scratch: the thread's own, as
 * emk_search. */
EXPORT void emk_search_many(int target, const float *queries, int64_t width, int32_t many,
                            const struct stage *stages, int64_t count, const int64_t *keeps,
                            int64_t capacity, int64_t *work, uint8_t *scratch, int32_t *next,
                            int64_t room, int64_t *positions, int64_t *scores, int64_t *found,
                            double *factors) {
    for (;;) {
        const int32_t query = take_number(next);
        if (query >= many || query < 0)
            return;
        const int64_t here = emk_search(target, queries + query * width, stages, count, keeps,
                                        capacity, work, scratch, factors + query);
        for (int64_t i = 0; i < here; i++) {
            scores[query * room + i] = work[i];
            positions[query * room + i] = work[capacity + i];
        }
        found[query] = here;
    }
}
