/* ---- 5. A scan ----------------------------------------------------------------------------- */

/* Score up to CHUNK rows of an entry of the list from row `first` (a multiple of BLOCK) on. The
 * gains of an unfinished last block are copied, so that whole blocks can be read. */
static void score_chunk(chunk_function *chunk, const struct query *query,
                        const struct block *block, int64_t first, int64_t rows,
                        const struct bar *bar, int32_t *values, uint64_t *hits) {
    const uint8_t *codes = (const uint8_t *)(uintptr_t)block->codes + first * query->columns;
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains + first;
    uint16_t padded[CHUNK];
    if (rows % BLOCK) {
        for (int64_t row = 0; row < CHUNK; row++)
            padded[row] = row < rows ? gains[row] : 0;
        gains = padded;
    }
    chunk(query, codes, gains, rows, bar, values, hits);
    if (rows % BLOCK) /* rows that only fill up the last block are never hits */
        hits[rows / BLOCK] &= (1ULL << rows % BLOCK) - 1;
}

/* Offer up to CHUNK rows of a block from row `first` (a multiple of BLOCK) on to the keeper.
 * position: that of the block's first row. */
static void sweep_chunk(chunk_function *chunk, const struct query *query,
                        const struct block *block, int64_t first, int64_t rows, int64_t position,
                        struct keeper *keeper) {
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
    const uint8_t *alive = (const uint8_t *)(uintptr_t)block->alive;
    int32_t values[CHUNK];
    uint64_t hits[CHUNK_BLOCKS];
    score_chunk(chunk, query, block, first, rows, &keeper->bar, values, hits);
    for (int64_t at = 0; at < rows; at += BLOCK)
        if (hits[at / BLOCK])
            keeper_offer(keeper, hits[at / BLOCK], values + at, gains + first + at,
                         alive ? alive + first + at : 0, position + first + at);
}

/* The same for any number of rows. */
static void sweep_rows(chunk_function *chunk, const struct query *query, const struct block *block,
                       int64_t first, int64_t rows, int64_t position, struct keeper *keeper) {
    for (int64_t at = 0; at < rows; at += CHUNK)
        sweep_chunk(chunk, query, block, first + at, rows - at < CHUNK ? rows - at : CHUNK,
                    position, keeper);
}

/* All rows of all blocks. */
static void sweep(chunk_function *chunk, const struct query *query, const struct block *blocks,
                  int64_t count, struct keeper *keeper) {
    int64_t position = 0;
    for (int64_t b = 0; b < count; position += blocks[b++].rows)
        sweep_rows(chunk, query, &blocks[b], 0, blocks[b].rows, position, keeper);
}

/* One BLOCK in every `stride`, counted through all blocks. */
static void sample(chunk_function *chunk, const struct query *query, const struct block *blocks,
                   int64_t count, int64_t stride, struct keeper *keeper) {
    int64_t position = 0, wait = 0;
    for (int64_t b = 0; b < count; position += blocks[b++].rows)
        for (int64_t first = 0; first < blocks[b].rows; first += BLOCK) {
            if (wait-- > 0)
                continue;
            wait = stride - 1;
            const int64_t left = blocks[b].rows - first;
            const uint8_t *next = (const uint8_t *)(uintptr_t)blocks[b].codes +
                                  (first + stride * BLOCK) * query->columns;
            for (int64_t at = 0; at < query->columns * BLOCK; at += 64)
                __builtin_prefetch(next + at);
            sweep_chunk(chunk, query, &blocks[b], first, left < BLOCK ? left : BLOCK, position,
                        keeper);
        }
}

static struct query query_of(int is_table, const void *integers, int64_t columns, int32_t offset) {
    const struct query query = {is_table ? (const uint8_t *)integers : 0,
                                is_table ? 0 : (const int8_t *)integers, columns, offset};
    return query;
}

/* A threshold that a few more than `keep` rows beat, most likely, from every `stride`-th block.
 *
 * Of the best `keep` rows, keep / stride are expected in the sample, at least 8. The rank that is
 * taken instead stands some four standard deviations further down. Where even that was too high, the
 * scan is done again, so only time depends on it: among 100 000 texts and lists of 100 to 591 it
 * happened once in 800 searches. A sample of one block in 32 costs less than it saves. Short lists
 * fill the reservoir soon, and small sets are scanned before a sample would pay: LOWEST. */
static int64_t estimated_threshold(chunk_function *chunk, const struct query *query,
                                   const struct block *blocks, int64_t count, int64_t keep,
                                   struct keeper *keeper) {
    int64_t total = 0;
    for (int64_t b = 0; b < count; b++)
        total += blocks[b].rows;
    int64_t stride = keep >> 3 < total >> 7 ? keep >> 3 : total >> 7;
    if (stride < 8 || keep >= total >> 1)
        return LOWEST;
    stride = stride > 32 ? 32 : stride;
    const int64_t expected = (int64_t)((float)keep / (float)stride);
    const int64_t rank = expected + (expected < 32 ? 8 + (expected >> 1) : 16 + (expected >> 2));
    keeper_start(keeper, rank, LOWEST);
    /* A small reservoir soon has a threshold of its own; the large one would take most of the sample. */
    const int64_t capacity = keeper->capacity, enough = 2 * rank + 2 * BLOCK;
    keeper->capacity = capacity < enough ? capacity : enough;
    sample(chunk, query, blocks, count, stride, keeper);
    keeper_prune(keeper);
    keeper->capacity = capacity;
    return keeper->count == rank && keeper->threshold > LOWEST ? keeper->threshold - 1 : LOWEST;
}

/* How far values and gains can be shifted left so that 16 bits with a sign hold them. */
static struct bar bar_of(const struct query *query, const struct block *blocks, int64_t count) {
    struct bar bar = {0.0f, 0, 0, 0, 0};
    if (!query->entries || query->columns > SAFE_COLUMNS)
        return bar;
    const int64_t lowest = query->offset, highest = lowest + query->columns * 2 * LARGEST_ENTRY;
    int64_t value = highest > -lowest ? highest : -lowest, gain = 1;
    for (int64_t b = 0; b < count; b++)
        gain = blocks[b].largest > gain ? blocks[b].largest : gain;
    bar.narrow = value < 1 << 15 && gain < 1 << 15;
    while (bar.narrow && value << (bar.left + 1) < 1 << 15)
        bar.left++;
    while (bar.narrow && gain << (bar.gain_left + 1) < 1 << 15)
        bar.gain_left++;
    return bar;
}

/* Leave the best `keep` living rows of all blocks in the keeper, by rising position. */
static void first_look(chunk_function *chunk, const struct query *query,
                       const struct block *blocks, int64_t count, int64_t keep,
                       struct keeper *keeper) {
    keeper->bar = bar_of(query, blocks, count);
    const int64_t threshold = estimated_threshold(chunk, query, blocks, count, keep, keeper);
    keeper_start(keeper, keep, threshold);
    sweep(chunk, query, blocks, count, keeper);
    if (keeper->count < keep && threshold > LOWEST) {
        keeper_start(keeper, keep, LOWEST);
        sweep(chunk, query, blocks, count, keeper);
    }
    keeper_prune(keeper);
}

/* Find the best `keep` living rows of all blocks.
 *
 * work: 4 x capacity int64, capacity >= keep + 64. The result stands at its start: scores by
 * falling score, and from work + capacity on their positions. Returns how many. */
EXPORT int64_t emk_scan(int target, int is_table, const void *integers, int64_t columns,
                        int32_t offset, const struct block *blocks, int64_t count, int64_t keep,
                        int64_t capacity, int64_t *work) {
    const struct query query = query_of(is_table, integers, columns, offset);
    struct keeper keeper;
    keeper_place(&keeper, work, capacity);
    first_look(targets[target].chunk, &query, blocks, count, keep, &keeper);
    keeper_sort(&keeper);
    return keeper.count;
}

/* Every row's score, deleted rows' too. scores: block->rows int64. */
EXPORT void emk_scores(int target, int is_table, const void *integers, int64_t columns,
                       int32_t offset, const struct block *block, int64_t *scores) {
    const struct query query = query_of(is_table, integers, columns, offset);
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
    const struct bar none = {0.0f, 0, 0, 0, 0};
    int32_t values[CHUNK];
    uint64_t hits[CHUNK_BLOCKS];
    for (int64_t first = 0; first < block->rows; first += CHUNK) {
        const int64_t rows = block->rows - first < CHUNK ? block->rows - first : CHUNK;
        score_chunk(targets[target].chunk, &query, block, first, rows, &none, values, hits);
        for (int64_t row = 0; row < rows; row++)
            scores[first + row] = (int64_t)values[row] * gains[first + row];
    }
}
