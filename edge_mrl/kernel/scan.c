/* The scan kernel: score packed codes against a query and keep the best rows.
 *
 * edge_mrl/kernel/reference.py is the definition; everything here equals it integer for integer.
 * This file and those it includes call nothing, not even the C library, so one shared object serves
 * every libc.
 *
 * Reading order:
 *   1. what Python hands over          struct block, struct query, struct packed
 *   2. one chunk of rows, one row      chunk_scalar, packed_scalar; for each target the same in
 *                                      scan_x86.h and scan_arm.h
 *   3. which targets this CPU has      emk_targets
 *   4. the best rows so far            scan_best.h: struct keeper
 *   5. a scan, and a second look       emk_scan, emk_scores; scan_look.h: emk_rescore,
 *                                      emk_row_scores
 *   6. making a query                  scan_query.h: emk_turn, emk_table, emk_weights
 *   7. a whole search                  scan_search.h: emk_search, emk_search_many, emk_scan_share
 *   8. vectors to codes                scan_pack.h: emk_pack
 *   9. sums of lists                   scan_lists.h: emk_best_rows
 *  10. rows with a checksum            scan_checked.h: emk_row_products
 *  11. codes from their planes         scan_planes.h: emk_join_planes
 */
#include <stdint.h>

#if defined(__i386__)
#error "32-bit x86 rounds doubles to 80 bits, which would change a query's integers"
#endif

#if !defined(__clang__)
/* No loop becomes a call of memset or memcpy. clang has its own rule: -ffreestanding. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

/* Rises with any change of the functions' arguments; Python refuses another number. */
#define INTERFACE 9

/* ---- 1. What Python hands over ------------------------------------------------------------- */

/* Rows of a block: one byte of each of 64 rows, a cache line, stand together. */
#define BLOCK 64
/* Rows scored at a time. */
#define CHUNK 256
#define CHUNK_BLOCKS (CHUNK / BLOCK)
/* Entries are at most 63 (see quantizer.py): four of them, those of two code bytes, add up in a byte, and those of
 * 512 code bytes in 16 bits. */
#define SAFE_COLUMNS 512
#define LARGEST_ENTRY 63

/* Rows that follow one another. Addresses are 64 bits wide on every machine. */
struct block {
    uint64_t codes; /* for a scan of 1, 2 or 4 bits: ceil(rows / 64) x columns x 64 bytes; for a scan
                     * of 8 bits, and for a second look: rows x columns */
    uint64_t gains; /* rows x uint16 */
    uint64_t alive; /* rows x {0, 1}, or address 0 where every row may be found */
    int64_t rows;
    int64_t largest; /* of the gains */
};

struct query {
    const uint8_t *entries; /* 2 x columns tables of 16; NULL for int8 codes */
    const int8_t *weights;  /* columns weights, -127..127; NULL for table codes */
    int64_t columns;        /* bytes of a row's code */
    int32_t offset;         /* added to each sum of entries */
};

/* A query for codes of 1, 2 or 4 bits that stand row after row. */
struct packed {
    const int8_t *weights; /* 8 / bits planes of `stride`: plane p is for the p-th code of each byte */
    int64_t columns;       /* bytes of a row's codes */
    int64_t stride;        /* columns, filled up to a multiple of 64 with weights of 0 */
    int bits;
    int32_t offset;     /* added to each sum */
    uint8_t levels[16]; /* what a code stands for, less the least level: code 0 adds nothing */
};

/* Fill up a row's last bytes to a whole vector; code 0 adds nothing. */
#define FILLED_UP(SIZE)                                                                           \
    uint8_t filled[SIZE];                                                                         \
    for (int64_t at = 0; at < (SIZE); at++)                                                       \
        filled[at] = i + at < packed->columns ? row[i + at] : 0;

/* ---- 2. One chunk of rows ------------------------------------------------------------------ */

/* What a row must exceed to be looked at.
 *
 * `limit` is for the product of value and gain in float32, which is off by at most two roundings (a
 * factor of 1 +- 2^-23). It lies lower than the exact threshold by more than that (limit_of), so no
 * row is missed; rows that only seem to exceed it are refused by keeper_offer in exact arithmetic.
 *
 * `quick` is for the upper 16 bits of (value << left) x (gain << gain_left), rounded down, which
 * vector instructions give at once for 16-bit numbers. It is lower than the exact threshold too, and
 * tells almost as well. Only where all values and gains fit: `narrow`. */
struct bar {
    float limit;
    int32_t quick;
    int narrow, left, gain_left;
};

/* A chunk function sets hits[b] to a mask of the rows of its block b that may exceed the bar, and
 * writes the values (sum + offset, or dot product) of such rows at least. It takes up to
 * CHUNK rows. */
typedef void chunk_function(const struct query *query, const uint8_t *codes, const uint16_t *gains,
                            int64_t rows, const struct bar *bar, int32_t *values, uint64_t *hits);

/* Dot products of `rows` rows of int8 codes that follow one another. */
typedef void dots_function(const struct query *query, const uint8_t *codes, int64_t rows,
                           int32_t *values);

/* Whether any of 64 rows may exceed the limit: then all may. Plain C; targets with a cheap way from
 * comparisons to bits have their own. */
INLINE uint64_t hits_scalar(const int32_t *values, const uint16_t *gains, float limit) {
    int reaches = 0;
    for (int row = 0; row < BLOCK; row++)
        reaches |= (float)values[row] * (float)gains[row] > limit;
    return reaches ? ~0ULL : 0;
}

/* One row's int8 dot product: also what the vector targets use for the dimensions left over. */
INLINE int32_t dot_scalar(const int8_t *weights, const uint8_t *codes, int64_t first,
                          int64_t last) {
    int32_t sum = 0;
    for (int64_t i = first; i < last; i++)
        sum += weights[i] * (int8_t)codes[i];
    return sum;
}

INLINE void dots_scalar(const struct query *query, const uint8_t *codes, int64_t rows,
                        int32_t *values) {
    for (int64_t row = 0; row < rows; row++)
        values[row] = dot_scalar(query->weights, codes + row * query->columns, 0, query->columns);
}

/* The bodies of chunk functions. Gains are readable up to the end of the last block. Where the bar
 * is narrow, SUMS returns a mask of the rows that a quick look did not rule out, and writes nothing
 * where there are none. */
#define TABLES_BODY(SUMS, HITS)                                                                   \
    for (int64_t row = 0; row < rows; row += BLOCK) {                                             \
        const uint64_t found =                                                                    \
            SUMS(query, codes + row * query->columns, gains + row, bar, values + row);            \
        hits[row / BLOCK] =                                                                       \
            bar->narrow ? found : HITS(values + row, gains + row, bar->limit);                    \
    }

#define DOTS_BODY(DOTS, HITS)                                                                     \
    DOTS(query, codes, rows, values);                                                             \
    for (int64_t row = rows; row % BLOCK; row++)                                                  \
        values[row] = 0;                                                                          \
    for (int64_t row = 0; row < rows; row += BLOCK)                                               \
        hits[row / BLOCK] = HITS(values + row, gains + row, bar->limit);

#define CHUNK_BODY(SUMS, DOTS, HITS)                                                              \
    if (query->entries) {                                                                         \
        TABLES_BODY(SUMS, HITS)                                                                   \
    } else {                                                                                      \
        DOTS_BODY(DOTS, HITS)                                                                     \
    }

#define SUMS_ARGUMENTS                                                                            \
    const struct query *query, const uint8_t *codes, const uint16_t *gains, const struct bar *bar, \
        int32_t *values

#define DOTS_ARGUMENTS                                                                            \
    const struct query *query, const uint8_t *codes, int64_t rows, int32_t *values

#define CHUNK_ARGUMENTS                                                                           \
    const struct query *query, const uint8_t *codes, const uint16_t *gains, int64_t rows,         \
        const struct bar *bar, int32_t *values, uint64_t *hits

/* Sums of table entries for one block. */
INLINE uint64_t sums_scalar(SUMS_ARGUMENTS) {
    for (int row = 0; row < BLOCK; row++)
        values[row] = query->offset;
    for (int64_t column = 0; column < query->columns; column++, codes += BLOCK) {
        const uint8_t *low = query->entries + 32 * column, *high = low + 16;
        for (int row = 0; row < BLOCK; row++)
            values[row] += low[codes[row] & 15] + high[codes[row] >> 4];
    }
    return bar->narrow ? hits_scalar(values, gains, bar->limit) : 0;
}

static void dots_scalar_function(DOTS_ARGUMENTS) {
    dots_scalar(query, codes, rows, values);
}

static void chunk_scalar(CHUNK_ARGUMENTS) { CHUNK_BODY(sums_scalar, dots_scalar, hits_scalar) }

/* The dot product of the weights and one row's levels. */
typedef int32_t packed_function(const struct packed *packed, const uint8_t *row);

static int32_t packed_scalar(const struct packed *packed, const uint8_t *row) {
    const int mask = (1 << packed->bits) - 1;
    const int8_t *weights = packed->weights;
    int32_t sum = packed->offset;
    for (int shift = 0; shift < 8; shift += packed->bits, weights += packed->stride)
        for (int64_t i = 0; i < packed->columns; i++)
            sum += weights[i] * packed->levels[row[i] >> shift & mask];
    return sum;
}

/* How many bits are known while compiling, so that the loop over the planes is unrolled. */
#define PACKED_BODY(SUM)                                                                          \
    switch (packed->bits) {                                                                       \
    case 1:                                                                                       \
        return packed->offset + SUM(packed, row, 1);                                              \
    case 2:                                                                                       \
        return packed->offset + SUM(packed, row, 2);                                              \
    default:                                                                                      \
        return packed->offset + SUM(packed, row, 4);                                              \
    }

#define PACKED_ARGUMENTS const struct packed *packed, const uint8_t *row

#include "scan_x86.h"
#include "scan_arm.h"

/* ---- 3. Which targets this CPU has --------------------------------------------------------- */

/* Numbers known to Python, slowest first. */
enum { SCALAR, SSSE3_TARGET, AVX2_TARGET, AVX512_TARGET, NEON_TARGET, DOTPROD_TARGET, TARGETS };

struct target {
    chunk_function *chunk;
    dots_function *dots;
    packed_function *packed;
};

static const struct target targets[TARGETS] = {
    [SCALAR] = {chunk_scalar, dots_scalar_function, packed_scalar},
#if defined(__x86_64__)
    [SSSE3_TARGET] = {chunk_ssse3, dots_ssse3_function, packed_ssse3},
    [AVX2_TARGET] = {chunk_avx2, dots_avx2_function, packed_avx2},
    [AVX512_TARGET] = {chunk_avx512, dots_avx512_function, packed_avx512},
#endif
#if defined(__aarch64__) || defined(__arm__)
    [NEON_TARGET] = {chunk_neon, dots_neon_function, packed_neon},
#endif
#if defined(__aarch64__)
    [DOTPROD_TARGET] = {chunk_dotprod, dots_dotprod_function, packed_dotprod},
#endif
};

EXPORT int emk_interface(void) { return INTERFACE; }

/* CRC-32 of this very file, given by the build, so that Python notices a library left behind by an
 * older source. */
#ifndef SOURCE_CRC
#define SOURCE_CRC 0
#endif
EXPORT uint32_t emk_source(void) { return SOURCE_CRC; }

/* Bit t is set where target t can run here. `hwcap` is what Linux says of an ARM CPU (getauxval of
 * AT_HWCAP); x86 is asked itself. */
EXPORT unsigned emk_targets(uint64_t hwcap) {
    unsigned found = 1u << SCALAR;
    (void)hwcap;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return found;
    if (c & bit_SSSE3)
        found |= 1u << SSSE3_TARGET;
    if (!(c & bit_OSXSAVE))
        return found;
    unsigned saved, upper;
    __asm__("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (saved & 0x06) != 0x06)
        return found; /* the system does not save 256-bit registers */
    if (b & bit_AVX2)
        found |= 1u << AVX2_TARGET;
    const unsigned needed = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    const unsigned more = bit_AVX512VNNI | bit_AVX512VBMI;
    if ((saved & 0xE6) == 0xE6 && (b & needed) == needed && (c & more) == more)
        found |= 1u << AVX512_TARGET;
#elif defined(__aarch64__)
    found |= 1u << NEON_TARGET;
    if (hwcap >> 20 & 1) /* HWCAP_ASIMDDP */
        found |= 1u << DOTPROD_TARGET;
#elif defined(__arm__)
    if (hwcap >> 12 & 1) /* HWCAP_NEON */
        found |= 1u << NEON_TARGET;
#endif
    return found;
}

#include "scan_best.h"

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

#include "scan_look.h"
#include "scan_query.h"
#include "scan_search.h"
#include "scan_pack.h"
#include "scan_lists.h"
#include "scan_checked.h"
#include "scan_planes.h"
