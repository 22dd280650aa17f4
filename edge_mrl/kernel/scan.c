/* The scan kernel: score packed codes against a query and keep the best rows.
 *
 * edge_mrl/kernel/reference.py is the definition; everything here equals it integer for integer.
 * This file and those it includes call nothing, not even the C library, so one shared object serves
 * every libc.
 *
 * Reading order:
 *   1. what Python hands over          struct block, struct query, struct packed
 *   2. one chunk of rows, one row      chunk_scalar, packed_scalar; for each target the same in
 *                                      scan_ssse3.h, scan_avx2.h, scan_avx512.h and scan_arm.h
 *   3. which targets this CPU has      emk_targets
 *   4. the best rows so far            scan_best.h: struct keeper
 *   5. a scan, and a second look       scan_sweep.h: emk_scan, emk_scores; scan_look.h:
 *                                      emk_rescore, emk_row_scores
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
#include "scan_sweep.h"
#include "scan_look.h"
#include "scan_query.h"
#include "scan_search.h"
#include "scan_pack.h"
#include "scan_lists.h"
#include "scan_checked.h"
#include "scan_planes.h"
