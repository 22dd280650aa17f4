/* The scan kernel: score packed codes against a query and keep the best rows.
 *
 * edge_mrl/kernel/reference.py is the definition; everything here equals it integer for integer.
 * This file calls nothing, not even the C library, so one shared object serves every libc.
 *
 * Reading order:
 *   1. what Python hands over          struct block, struct query
 *   2. one chunk of rows               chunk_scalar, chunk_avx2, ...: one function for each target
 *   3. which targets this CPU has      emk_targets
 *   4. the best rows so far            struct keeper, keeper_offer, keeper_prune, keeper_sort
 *   5. the whole scan                  emk_scan, emk_scores, emk_rescore
 *   6. making a query                  emk_turn, emk_table, emk_weights
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
#define INTERFACE 2

/* ---- 1. What Python hands over ------------------------------------------------------------- */

/* Rows of a block: one byte of each of 64 rows, a cache line, stand together. */
#define BLOCK 64
/* Rows scored at a time. */
#define CHUNK 256
#define CHUNK_BLOCKS (CHUNK / BLOCK)
/* Entries are at most 63: four of them, those of two code bytes, add up in a byte, and those of
 * 512 code bytes in 16 bits. */
#define SAFE_COLUMNS 512

/* Rows that follow one another. Addresses are 64 bits wide on every machine. */
struct block {
    uint64_t codes; /* table codes: ceil(rows / 64) x columns x 64 bytes; int8: rows x columns */
    uint64_t gains; /* rows x uint16 */
    uint64_t alive; /* rows x {0, 1}, or address 0 where every row may be found */
    int64_t rows;
};

struct query {
    const uint8_t *entries; /* 2 x columns tables of 16; NULL for int8 codes */
    const int8_t *weights;  /* columns weights, -127..127; NULL for table codes */
    int64_t columns;        /* bytes of a row's code */
    int32_t offset;         /* added to each sum of entries */
};

/* ---- 2. One chunk of rows ------------------------------------------------------------------ */

/* A chunk function writes the values (sum + offset, or dot product) of up to CHUNK rows, and sets
 * hits[b] to a mask of the rows of its block b whose value x gain may exceed `limit`.
 *
 * The products are formed in float32, each off by at most two roundings (a factor of 1 +- 2^-23).
 * `limit` lies lower than the exact threshold by more than that (limit_of), so no row is missed;
 * rows that only seem to exceed it are refused by keeper_offer in exact arithmetic. */
typedef void chunk_function(const struct query *query, const uint8_t *codes, const uint16_t *gains,
                            int64_t rows, float limit, int32_t *values, uint64_t *hits);

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

/* Sums of table entries for one block, one implementation a target. */
INLINE void sums_scalar(const struct query *query, const uint8_t *codes, int32_t *values) {
    for (int row = 0; row < BLOCK; row++)
        values[row] = query->offset;
    for (int64_t column = 0; column < query->columns; column++, codes += BLOCK) {
        const uint8_t *low = query->entries + 32 * column, *high = low + 16;
        for (int row = 0; row < BLOCK; row++)
            values[row] += low[codes[row] & 15] + high[codes[row] >> 4];
    }
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

/* The body of every chunk function. Gains are readable up to the end of the last block. */
#define CHUNK_BODY(SUMS, DOTS, HITS)                                                              \
    if (query->entries) {                                                                         \
        for (int64_t row = 0; row < rows; row += BLOCK)                                           \
            SUMS(query, codes + row * query->columns, values + row);                              \
    } else {                                                                                      \
        DOTS(query, codes, rows, values);                                                         \
        for (int64_t row = rows; row % BLOCK; row++)                                              \
            values[row] = 0;                                                                      \
    }                                                                                             \
    for (int64_t row = 0; row < rows; row += BLOCK)                                               \
        hits[row / BLOCK] = HITS(values + row, gains + row, limit);

#define DOTS_ARGUMENTS                                                                            \
    const struct query *query, const uint8_t *codes, int64_t rows, int32_t *values

#define CHUNK_ARGUMENTS                                                                           \
    const struct query *query, const uint8_t *codes, const uint16_t *gains, int64_t rows,         \
        float limit, int32_t *values, uint64_t *hits

static void dots_scalar_function(DOTS_ARGUMENTS) {
    dots_scalar(query, codes, rows, values);
}

static void chunk_scalar(CHUNK_ARGUMENTS) { CHUNK_BODY(sums_scalar, dots_scalar, hits_scalar) }

/* The vector targets look up 16 to 64 nibbles with one shuffle, add the four entries of two code
 * bytes as bytes, and those sums as 16-bit numbers. x86 has no widening addition, so a vector of
 * bytes is added twice: as it is (even bytes plus 256 x odd bytes, modulo 2^16) and shifted right
 * by 8 (odd bytes alone). At the end even = whole - 256 x odd, exact modulo 2^16 and so exact. */

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* -- SSSE3: every x86-64 since 2006 (Intel) and 2011 (AMD) -- */
#define SSSE3 __attribute__((target("ssse3")))

/* The entries of both nibbles of 16 bytes. */
SSSE3 INLINE __m128i pair_ssse3(const uint8_t *entries, const uint8_t *codes) {
    const __m128i nibble = _mm_set1_epi8(15);
    const __m128i bytes = _mm_loadu_si128((const __m128i *)codes);
    const __m128i low = _mm_loadu_si128((const __m128i *)entries);
    const __m128i high = _mm_loadu_si128((const __m128i *)(entries + 16));
    return _mm_add_epi8(_mm_shuffle_epi8(low, _mm_and_si128(bytes, nibble)),
                        _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble)));
}

SSSE3 INLINE void sums_ssse3(const struct query *query, const uint8_t *codes, int32_t *values) {
    const __m128i zero = _mm_setzero_si128();
    const int64_t columns = query->columns;
    for (int row = 0; row < BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m128i whole[4], odd[4]; /* 16 rows each */
        for (int part = 0; part < 4; part++)
            whole[part] = odd[part] = zero;
        for (int64_t column = first; column < last; column += 2) {
            const uint8_t *entries = query->entries + 32 * column;
            const uint8_t *place = codes + column * BLOCK;
            for (int part = 0; part < 4; part++) {
                __m128i sum = pair_ssse3(entries, place + 16 * part);
                if (column + 1 < last)
                    sum = _mm_add_epi8(sum, pair_ssse3(entries + 32, place + BLOCK + 16 * part));
                whole[part] = _mm_add_epi16(whole[part], sum);
                odd[part] = _mm_add_epi16(odd[part], _mm_srli_epi16(sum, 8));
            }
        }
        for (int part = 0; part < 4; part++) {
            const __m128i even = _mm_sub_epi16(whole[part], _mm_slli_epi16(odd[part], 8));
            const __m128i rows[2] = {_mm_unpacklo_epi16(even, odd[part]),
                                     _mm_unpackhi_epi16(even, odd[part])};
            for (int quarter = 0; quarter < 4; quarter++) {
                const __m128i four = quarter % 2 ? _mm_unpackhi_epi16(rows[quarter / 2], zero)
                                                 : _mm_unpacklo_epi16(rows[quarter / 2], zero);
                __m128i *target = (__m128i *)(values + 16 * part + 4 * quarter);
                _mm_storeu_si128(target, _mm_add_epi32(_mm_loadu_si128(target), four));
            }
        }
    }
}

SSSE3 INLINE uint64_t hits_ssse3(const int32_t *values, const uint16_t *gains, float limit) {
    const __m128 bar = _mm_set1_ps(limit);
    uint64_t hits = 0;
    for (int row = 0; row < BLOCK; row += 4) {
        const __m128i four = _mm_loadl_epi64((const __m128i *)(gains + row));
        const __m128 gain = _mm_cvtepi32_ps(_mm_unpacklo_epi16(four, _mm_setzero_si128()));
        const __m128 value = _mm_cvtepi32_ps(_mm_loadu_si128((const __m128i *)(values + row)));
        const int more = _mm_movemask_ps(_mm_cmpgt_ps(_mm_mul_ps(value, gain), bar));
        hits |= (uint64_t)(unsigned)more << row;
    }
    return hits;
}

SSSE3 INLINE void dots_ssse3(const struct query *query, const uint8_t *codes, int64_t rows,
                             int32_t *values) {
    const int64_t columns = query->columns, even = columns / 16 * 16;
    const __m128i zero = _mm_setzero_si128();
    for (int64_t row = 0; row < rows; row++, codes += columns) {
        __m128i sum = zero;
        for (int64_t i = 0; i < even; i += 16) {
            const __m128i a = _mm_loadu_si128((const __m128i *)(codes + i));
            const __m128i b = _mm_loadu_si128((const __m128i *)(query->weights + i));
            /* Into the upper byte and back: sign extension without SSE4.1. */
            const __m128i a_low = _mm_srai_epi16(_mm_unpacklo_epi8(zero, a), 8);
            const __m128i a_high = _mm_srai_epi16(_mm_unpackhi_epi8(zero, a), 8);
            const __m128i b_low = _mm_srai_epi16(_mm_unpacklo_epi8(zero, b), 8);
            const __m128i b_high = _mm_srai_epi16(_mm_unpackhi_epi8(zero, b), 8);
            sum = _mm_add_epi32(sum, _mm_madd_epi16(a_low, b_low));
            sum = _mm_add_epi32(sum, _mm_madd_epi16(a_high, b_high));
        }
        sum = _mm_hadd_epi32(sum, sum);
        sum = _mm_hadd_epi32(sum, sum);
        values[row] = _mm_cvtsi128_si32(sum) + dot_scalar(query->weights, codes, even, columns);
    }
}

SSSE3 static void dots_ssse3_function(DOTS_ARGUMENTS) {
    dots_ssse3(query, codes, rows, values);
}

SSSE3 static void chunk_ssse3(CHUNK_ARGUMENTS) {
    CHUNK_BODY(sums_ssse3, dots_ssse3, hits_ssse3)
}

/* -- AVX2 -- */
#define AVX2 __attribute__((target("avx2")))

/* Write the 16-bit sums of 32 rows plus `offset`; `more`: to what is there already, without it. */
AVX2 INLINE void widen_avx2(__m256i whole, __m256i odd, int more, int32_t offset,
                            int32_t *values) {
    const __m256i even = _mm256_sub_epi16(whole, _mm256_slli_epi16(odd, 8));
    const __m256i low = _mm256_unpacklo_epi16(even, odd);  /* rows 0..7, 16..23 */
    const __m256i high = _mm256_unpackhi_epi16(even, odd); /* rows 8..15, 24..31 */
    const __m128i rows[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                             _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
    for (int part = 0; part < 4; part++) {
        __m256i *target = (__m256i *)(values + 8 * part);
        const __m256i before = more ? _mm256_loadu_si256(target) : _mm256_set1_epi32(offset);
        _mm256_storeu_si256(target, _mm256_add_epi32(before, _mm256_cvtepu16_epi32(rows[part])));
    }
}

/* The entries of both nibbles of 32 bytes. */
AVX2 INLINE __m256i pair_avx2(const uint8_t *entries, const uint8_t *codes) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i bytes = _mm256_loadu_si256((const __m256i *)codes);
    const __m128i *tables = (const __m128i *)entries;
    const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128(tables + 1));
    return _mm256_add_epi8(
        _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
}

AVX2 INLINE void sums_avx2(const struct query *query, const uint8_t *codes, int32_t *values) {
    const int64_t columns = query->columns;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m256i whole[2], odd[2]; /* 32 rows each */
        for (int half = 0; half < 2; half++)
            whole[half] = odd[half] = _mm256_setzero_si256();
        for (int64_t column = first; column < last; column += 2) {
            const uint8_t *entries = query->entries + 32 * column;
            const uint8_t *place = codes + column * BLOCK;
            for (int half = 0; half < 2; half++) {
                __m256i sum = pair_avx2(entries, place + 32 * half);
                if (column + 1 < last)
                    sum = _mm256_add_epi8(sum, pair_avx2(entries + 32, place + BLOCK + 32 * half));
                whole[half] = _mm256_add_epi16(whole[half], sum);
                odd[half] = _mm256_add_epi16(odd[half], _mm256_srli_epi16(sum, 8));
            }
        }
        for (int half = 0; half < 2; half++)
            widen_avx2(whole[half], odd[half], first > 0, query->offset, values + 32 * half);
    }
}

AVX2 INLINE uint64_t hits_avx2(const int32_t *values, const uint16_t *gains, float limit) {
    const __m256 bar = _mm256_set1_ps(limit);
    uint64_t hits = 0;
    for (int row = 0; row < BLOCK; row += 8) {
        const __m128i eight = _mm_loadu_si128((const __m128i *)(gains + row));
        const __m256 gain = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(eight));
        const __m256 value =
            _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(values + row)));
        const int more =
            _mm256_movemask_ps(_mm256_cmp_ps(_mm256_mul_ps(value, gain), bar, _CMP_GT_OQ));
        hits |= (uint64_t)(unsigned)more << row;
    }
    return hits;
}

AVX2 INLINE int32_t total_avx2(__m256i sum) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_hadd_epi32(four, four);
    return _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
}

AVX2 INLINE void dots_avx2(const struct query *query, const uint8_t *codes, int64_t rows,
                           int32_t *values) {
    const int64_t columns = query->columns, even = columns / 16 * 16;
    for (int64_t row = 0; row < rows; row++, codes += columns) {
        __m256i sum = _mm256_setzero_si256();
        for (int64_t i = 0; i < even; i += 16) {
            const __m128i a = _mm_loadu_si128((const __m128i *)(codes + i));
            const __m128i b = _mm_loadu_si128((const __m128i *)(query->weights + i));
            sum = _mm256_add_epi32(
                sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b)));
        }
        values[row] = total_avx2(sum) + dot_scalar(query->weights, codes, even, columns);
    }
}

AVX2 static void dots_avx2_function(DOTS_ARGUMENTS) {
    dots_avx2(query, codes, rows, values);
}

AVX2 static void chunk_avx2(CHUNK_ARGUMENTS) { CHUNK_BODY(sums_avx2, dots_avx2, hits_avx2) }

/* -- AVX-512 with BW, VL and VNNI: Intel since 2019, AMD since 2022 -- */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/* The entries of both nibbles of 64 bytes. */
AVX512 INLINE __m512i pair_avx512(const uint8_t *entries, const uint8_t *codes) {
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i bytes = _mm512_loadu_si512(codes);
    const __m128i *tables = (const __m128i *)entries;
    const __m512i low = _mm512_broadcast_i32x4(_mm_loadu_si128(tables));
    const __m512i high = _mm512_broadcast_i32x4(_mm_loadu_si128(tables + 1));
    return _mm512_add_epi8(
        _mm512_shuffle_epi8(low, _mm512_and_si512(bytes, nibble)),
        _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble)));
}

AVX512 INLINE void sums_avx512(const struct query *query, const uint8_t *codes, int32_t *values) {
    const int64_t columns = query->columns;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m512i whole = _mm512_setzero_si512(), odd = whole;
        for (int64_t column = first; column < last; column += 2) {
            const uint8_t *entries = query->entries + 32 * column;
            __m512i sum = pair_avx512(entries, codes + column * BLOCK);
            if (column + 1 < last)
                sum = _mm512_add_epi8(sum, pair_avx512(entries + 32, codes + (column + 1) * BLOCK));
            whole = _mm512_add_epi16(whole, sum);
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16(sum, 8));
        }
        widen_avx2(_mm512_castsi512_si256(whole), _mm512_castsi512_si256(odd), first > 0,
                   query->offset, values);
        widen_avx2(_mm512_extracti64x4_epi64(whole, 1), _mm512_extracti64x4_epi64(odd, 1),
                   first > 0, query->offset, values + 32);
    }
}

AVX512 INLINE uint64_t hits_avx512(const int32_t *values, const uint16_t *gains, float limit) {
    const __m512 bar = _mm512_set1_ps(limit);
    uint64_t hits = 0;
    for (int row = 0; row < BLOCK; row += 16) {
        const __m256i sixteen = _mm256_loadu_si256((const __m256i *)(gains + row));
        const __m512 gain = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(sixteen));
        const __m512 value = _mm512_cvtepi32_ps(_mm512_loadu_si512(values + row));
        const __mmask16 more = _mm512_cmp_ps_mask(_mm512_mul_ps(value, gain), bar, _CMP_GT_OQ);
        hits |= (uint64_t)more << row;
    }
    return hits;
}

/* vpdpbusd multiplies unsigned by signed bytes: a code plus 128 is unsigned, and 128 times the sum
 * of the weights is taken off again. The largest dimension, 65 536, stays below 2^31. */
AVX512 INLINE void dots_avx512(const struct query *query, const uint8_t *codes, int64_t rows,
                               int32_t *values) {
    const int64_t columns = query->columns;
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    __m512i all = _mm512_setzero_si512();
    for (int64_t i = 0; i < columns; i += 64) {
        const __mmask64 there = columns - i < 64 ? (1ULL << (columns - i)) - 1 : ~0ULL;
        all = _mm512_dpbusd_epi32(all, flip, _mm512_maskz_loadu_epi8(there, query->weights + i));
    }
    for (int64_t row = 0; row < rows; row++, codes += columns) {
        __m512i sum = _mm512_setzero_si512();
        for (int64_t i = 0; i < columns; i += 64) {
            const __mmask64 there = columns - i < 64 ? (1ULL << (columns - i)) - 1 : ~0ULL;
            const __m512i a = _mm512_maskz_loadu_epi8(there, codes + i);
            const __m512i b = _mm512_maskz_loadu_epi8(there, query->weights + i);
            sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(a, flip), b);
        }
        sum = _mm512_sub_epi32(sum, all);
        values[row] = total_avx2(_mm256_add_epi32(_mm512_castsi512_si256(sum),
                                                  _mm512_extracti64x4_epi64(sum, 1)));
    }
}

AVX512 static void dots_avx512_function(DOTS_ARGUMENTS) {
    dots_avx512(query, codes, rows, values);
}

AVX512 static void chunk_avx512(CHUNK_ARGUMENTS) {
    CHUNK_BODY(sums_avx512, dots_avx512, hits_avx512)
}
#endif /* x86-64 */

#if defined(__aarch64__) || defined(__arm__)
/* -- NEON: every aarch64; on 32-bit ARM most ARMv7 boards, no ARMv6 -- */
#if defined(__arm__)
#pragma GCC push_options
#pragma GCC target("arch=armv7-a+neon")
#endif
#include <arm_neon.h>

/* The entries of both nibbles of 16 bytes. */
INLINE uint8x16_t pair_neon(const uint8_t *entries, const uint8_t *codes) {
    const uint8x16_t bytes = vld1q_u8(codes);
    const uint8x16_t low = vandq_u8(bytes, vdupq_n_u8(15)), high = vshrq_n_u8(bytes, 4);
#if defined(__aarch64__)
    return vaddq_u8(vqtbl1q_u8(vld1q_u8(entries), low), vqtbl1q_u8(vld1q_u8(entries + 16), high));
#else
    /* 32-bit ARM looks up eight at a time. */
    const uint8x8x2_t a = {{vld1_u8(entries), vld1_u8(entries + 8)}};
    const uint8x8x2_t b = {{vld1_u8(entries + 16), vld1_u8(entries + 24)}};
    const uint8x16_t found = vcombine_u8(vtbl2_u8(a, vget_low_u8(low)),
                                         vtbl2_u8(a, vget_high_u8(low)));
    return vaddq_u8(found, vcombine_u8(vtbl2_u8(b, vget_low_u8(high)),
                                       vtbl2_u8(b, vget_high_u8(high))));
#endif
}

INLINE void sums_neon(const struct query *query, const uint8_t *codes, int32_t *values) {
    const int64_t columns = query->columns;
    for (int row = 0; row < BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        uint16x8_t sums[8]; /* eight rows each */
        for (int part = 0; part < 8; part++)
            sums[part] = vdupq_n_u16(0);
        for (int64_t column = first; column < last; column += 2) {
            const uint8_t *entries = query->entries + 32 * column;
            const uint8_t *place = codes + column * BLOCK;
            for (int part = 0; part < 4; part++) {
                uint8x16_t sum = pair_neon(entries, place + 16 * part);
                if (column + 1 < last)
                    sum = vaddq_u8(sum, pair_neon(entries + 32, place + BLOCK + 16 * part));
                sums[2 * part] = vaddw_u8(sums[2 * part], vget_low_u8(sum));
                sums[2 * part + 1] = vaddw_u8(sums[2 * part + 1], vget_high_u8(sum));
            }
        }
        for (int part = 0; part < 8; part++) {
            int32_t *target = values + 8 * part;
            const int32x4_t low = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(sums[part])));
            const int32x4_t high = vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(sums[part])));
            vst1q_s32(target, vaddq_s32(vld1q_s32(target), low));
            vst1q_s32(target + 4, vaddq_s32(vld1q_s32(target + 4), high));
        }
    }
}

INLINE void dots_neon(const struct query *query, const uint8_t *codes, int64_t rows,
                      int32_t *values) {
    const int64_t columns = query->columns, even = columns / 16 * 16;
    for (int64_t row = 0; row < rows; row++, codes += columns) {
        int32x4_t sum = vdupq_n_s32(0);
        for (int64_t i = 0; i < even; i += 16) {
            const int8x16_t a = vreinterpretq_s8_u8(vld1q_u8(codes + i));
            const int8x16_t b = vld1q_s8(query->weights + i);
            sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
            sum = vpadalq_s16(sum, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
        }
        values[row] = vgetq_lane_s32(sum, 0) + vgetq_lane_s32(sum, 1) + vgetq_lane_s32(sum, 2) +
                      vgetq_lane_s32(sum, 3) + dot_scalar(query->weights, codes, even, columns);
    }
}

static void dots_neon_function(DOTS_ARGUMENTS) {
    dots_neon(query, codes, rows, values);
}

static void chunk_neon(CHUNK_ARGUMENTS) { CHUNK_BODY(sums_neon, dots_neon, hits_scalar) }
#if defined(__arm__)
#pragma GCC pop_options
#endif
#endif /* ARM */

#if defined(__aarch64__)
/* -- NEON with the dot product of ARMv8.2: Raspberry Pi 5, not 3 or 4 -- */
#if defined(__clang__)
#define DOTPROD __attribute__((target("dotprod")))
#else
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

DOTPROD INLINE void dots_dotprod(const struct query *query, const uint8_t *codes, int64_t rows,
                                 int32_t *values) {
    const int64_t columns = query->columns, even = columns / 16 * 16;
    for (int64_t row = 0; row < rows; row++, codes += columns) {
        int32x4_t sum = vdupq_n_s32(0);
        for (int64_t i = 0; i < even; i += 16)
            sum = vdotq_s32(sum, vreinterpretq_s8_u8(vld1q_u8(codes + i)),
                            vld1q_s8(query->weights + i));
        values[row] = vaddvq_s32(sum) + dot_scalar(query->weights, codes, even, columns);
    }
}

DOTPROD static void dots_dotprod_function(DOTS_ARGUMENTS) {
    dots_dotprod(query, codes, rows, values);
}

DOTPROD static void chunk_dotprod(CHUNK_ARGUMENTS) {
    CHUNK_BODY(sums_neon, dots_dotprod, hits_scalar)
}
#endif /* aarch64 */

/* ---- 3. Which targets this CPU has --------------------------------------------------------- */

/* Numbers known to Python, slowest first. */
enum { SCALAR, SSSE3_TARGET, AVX2_TARGET, AVX512_TARGET, NEON_TARGET, DOTPROD_TARGET, TARGETS };

struct target {
    chunk_function *chunk;
    dots_function *dots;
};

static const struct target targets[TARGETS] = {
    [SCALAR] = {chunk_scalar, dots_scalar_function},
#if defined(__x86_64__)
    [SSSE3_TARGET] = {chunk_ssse3, dots_ssse3_function},
    [AVX2_TARGET] = {chunk_avx2, dots_avx2_function},
    [AVX512_TARGET] = {chunk_avx512, dots_avx512_function},
#endif
#if defined(__aarch64__) || defined(__arm__)
    [NEON_TARGET] = {chunk_neon, dots_neon_function},
#endif
#if defined(__aarch64__)
    [DOTPROD_TARGET] = {chunk_dotprod, dots_dotprod_function},
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
    if ((saved & 0xE6) == 0xE6 && (b & needed) == needed && (c & bit_AVX512VNNI))
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

/* ---- 4. The best rows so far --------------------------------------------------------------- */

#define LOWEST INT64_MIN

/* A reservoir: rows above the threshold are appended, in rising order of position, and only when
 * it is full are the best `keep` chosen. That costs far less than a heap for a long shortlist. */
struct keeper {
    int64_t *scores, *positions;             /* capacity each */
    int64_t *spare_scores, *spare_positions; /* capacity each */
    int64_t capacity, keep, count;
    int64_t threshold; /* a row must score more */
    float limit;       /* the same in float32, on the safe side */
};

/* Below `threshold` by more than the two roundings of a float32 product and this one. */
static float limit_of(int64_t threshold) {
    if (threshold == LOWEST)
        return -__builtin_inff();
    const float near = (float)threshold;
    return near - (near < 0 ? -near : near) * 0x1p-21f - 1.0f;
}

/* work: 4 x capacity. */
static void keeper_place(struct keeper *keeper, int64_t *work, int64_t capacity) {
    keeper->scores = work;
    keeper->positions = work + capacity;
    keeper->spare_scores = work + 2 * capacity;
    keeper->spare_positions = work + 3 * capacity;
    keeper->capacity = capacity;
}

static void keeper_start(struct keeper *keeper, int64_t keep, int64_t threshold) {
    keeper->keep = keep;
    keeper->count = 0;
    keeper->threshold = threshold;
    keeper->limit = limit_of(threshold);
}

/* The rank-th largest of `count` scores (rank 1 is the largest), byte by byte from the top: eight
 * passes at most, whatever the scores are. */
static int64_t ranked(const int64_t *scores, int64_t count, int64_t rank, int64_t *spare) {
    uint64_t *keys = (uint64_t *)spare;
    for (int64_t i = 0; i < count; i++)
        keys[i] = (uint64_t)scores[i] ^ (1ULL << 63); /* negative below positive */
    for (int shift = 56; shift >= 0 && count > 1; shift -= 8) {
        int64_t counts[256];
        for (int byte = 0; byte < 256; byte++)
            counts[byte] = 0;
        for (int64_t i = 0; i < count; i++)
            counts[keys[i] >> shift & 255]++;
        uint64_t chosen = 255;
        while (counts[chosen] < rank)
            rank -= counts[chosen--];
        if (counts[chosen] == count)
            continue;
        int64_t left = 0;
        for (int64_t i = 0; i < count; i++)
            if ((keys[i] >> shift & 255) == chosen)
                keys[left++] = keys[i];
        count = left;
    }
    return (int64_t)(keys[0] ^ (1ULL << 63));
}

/* Leave the best `keep`; of equal scores those with lower positions, which stand first. */
static void keeper_prune(struct keeper *keeper) {
    const int64_t keep = keeper->keep, count = keeper->count;
    if (count < keep)
        return;
    const int64_t worst = ranked(keeper->scores, count, keep, keeper->spare_scores);
    int64_t equal = keep;
    for (int64_t i = 0; i < count; i++)
        equal -= keeper->scores[i] > worst;
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++) {
        if (keeper->scores[i] < worst || (keeper->scores[i] == worst && equal-- <= 0))
            continue;
        keeper->scores[left] = keeper->scores[i];
        keeper->positions[left++] = keeper->positions[i];
    }
    keeper->count = left;
    keeper->threshold = worst; /* later rows lose ties */
    keeper->limit = limit_of(worst);
}

/* Take those rows of one block, of those in the mask `hits`, that beat the threshold. */
static void keeper_offer(struct keeper *keeper, uint64_t hits, const int32_t *values,
                         const uint16_t *gains, const uint8_t *alive, int64_t position) {
    if (keeper->count + BLOCK > keeper->capacity)
        keeper_prune(keeper);
    for (; hits; hits &= hits - 1) {
        const int row = __builtin_ctzll(hits);
        const int64_t score = (int64_t)values[row] * gains[row];
        if (score > keeper->threshold && (!alive || alive[row])) {
            keeper->scores[keeper->count] = score;
            keeper->positions[keeper->count++] = position + row;
        }
    }
}

/* Merge two runs that follow one another, start..middle and middle..end, into `to`. Written without
 * a branch on the scores, which no CPU could predict. */
static void merge(const int64_t *scores, const int64_t *positions, int64_t start, int64_t middle,
                  int64_t end, int64_t *to_scores, int64_t *to_positions) {
    int64_t left = start, right = middle, out = start;
    while (left < middle && right < end) {
        const int64_t second = scores[right] > scores[left];
        const int64_t from = left + (right - left) * second;
        to_scores[out] = scores[from];
        to_positions[out++] = positions[from];
        left += 1 - second;
        right += second;
    }
    for (int64_t from = left < middle ? left : right; out < end; out++, from++) {
        to_scores[out] = scores[from];
        to_positions[out] = positions[from];
    }
}

/* By falling score; equal scores stay in rising order of position. */
static void keeper_sort(struct keeper *keeper) {
    int64_t *scores = keeper->scores, *positions = keeper->positions;
    int64_t *to_scores = keeper->spare_scores, *to_positions = keeper->spare_positions;
    const int64_t count = keeper->count;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t start = 0; start < count; start += 2 * width) {
            const int64_t middle = start + width < count ? start + width : count;
            const int64_t end = middle + width < count ? middle + width : count;
            merge(scores, positions, start, middle, end, to_scores, to_positions);
        }
        int64_t *swap = scores;
        scores = to_scores, to_scores = swap;
        swap = positions;
        positions = to_positions, to_positions = swap;
    }
    if (scores != keeper->scores)
        for (int64_t i = 0; i < count; i++) {
            keeper->scores[i] = scores[i];
            keeper->positions[i] = positions[i];
        }
}

/* ---- 5. The whole scan --------------------------------------------------------------------- */

/* Score up to CHUNK rows of an entry of the list from row `first` (a multiple of BLOCK) on. The
 * gains of an unfinished last block are copied, so that whole blocks can be read. */
static void score_chunk(chunk_function *chunk, const struct query *query,
                        const struct block *block, int64_t first, int64_t rows, float limit,
                        int32_t *values, uint64_t *hits) {
    const uint8_t *codes = (const uint8_t *)(uintptr_t)block->codes + first * query->columns;
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains + first;
    uint16_t padded[CHUNK];
    if (rows % BLOCK) {
        for (int64_t row = 0; row < CHUNK; row++)
            padded[row] = row < rows ? gains[row] : 0;
        gains = padded;
    }
    chunk(query, codes, gains, rows, limit, values, hits);
    if (rows % BLOCK) /* rows that only fill up the last block are never hits */
        hits[rows / BLOCK] &= (1ULL << rows % BLOCK) - 1;
}

/* Offer every `stride`-th piece of `piece` rows, counted through all blocks, to the keeper. */
static void sweep(chunk_function *chunk, const struct query *query, const struct block *blocks,
                  int64_t count, int64_t piece, int64_t stride, struct keeper *keeper) {
    int32_t values[CHUNK];
    uint64_t hits[CHUNK_BLOCKS];
    int64_t position = 0, wait = 0;
    for (int64_t b = 0; b < count; position += blocks[b++].rows) {
        const struct block *block = &blocks[b];
        const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
        const uint8_t *alive = (const uint8_t *)(uintptr_t)block->alive;
        for (int64_t first = 0; first < block->rows; first += piece) {
            if (wait-- > 0)
                continue;
            wait = stride - 1;
            const int64_t rows = block->rows - first < piece ? block->rows - first : piece;
            score_chunk(chunk, query, block, first, rows, keeper->limit, values, hits);
            for (int64_t at = 0; at < rows; at += BLOCK)
                if (hits[at / BLOCK])
                    keeper_offer(keeper, hits[at / BLOCK], values + at, gains + first + at,
                                 alive ? alive + first + at : 0, position + first + at);
        }
    }
}

static struct query query_of(int is_table, const void *integers, int64_t columns, int32_t offset) {
    const struct query query = {is_table ? (const uint8_t *)integers : 0,
                                is_table ? 0 : (const int8_t *)integers, columns, offset};
    return query;
}

/* A threshold that a few more than `keep` rows beat, most likely, from every `stride`-th block.
 *
 * Of the best `keep` rows, keep / stride are expected in the sample, at least 8; the sample's row
 * number 2 x that + 9 stands some six standard deviations further down. Where even that was too
 * high, the scan is done again, so only time depends on it. Short lists fill the reservoir soon,
 * and small sets are scanned before a sample would pay: LOWEST. */
static int64_t estimated_threshold(chunk_function *chunk, const struct query *query,
                                   const struct block *blocks, int64_t count, int64_t keep,
                                   struct keeper *keeper) {
    int64_t total = 0;
    for (int64_t b = 0; b < count; b++)
        total += blocks[b].rows;
    const int64_t stride = keep >> 3 < total >> 7 ? keep >> 3 : total >> 7;
    if (stride < 8)
        return LOWEST;
    const int64_t rank = 2 * (int64_t)((float)keep / (float)stride) + 9;
    keeper_start(keeper, rank, LOWEST);
    sweep(chunk, query, blocks, count, BLOCK, stride, keeper);
    keeper_prune(keeper);
    return keeper->count == rank && keeper->threshold > LOWEST ? keeper->threshold - 1 : LOWEST;
}

/* Find the best `keep` living rows of all blocks.
 *
 * work: 4 x capacity int64, capacity >= keep + 64. The result stands at its start: scores by
 * falling score, and from work + capacity on their positions. Returns how many. */
EXPORT int64_t emk_scan(int target, int is_table, const void *integers, int64_t columns,
                        int32_t offset, const struct block *blocks, int64_t count, int64_t keep,
                        int64_t capacity, int64_t *work) {
    const struct query query = query_of(is_table, integers, columns, offset);
    chunk_function *chunk = targets[target].chunk;
    struct keeper keeper;
    keeper_place(&keeper, work, capacity);
    const int64_t threshold = estimated_threshold(chunk, &query, blocks, count, keep, &keeper);
    keeper_start(&keeper, keep, threshold);
    sweep(chunk, &query, blocks, count, CHUNK, 1, &keeper);
    if (keeper.count < keep && threshold > LOWEST) {
        keeper_start(&keeper, keep, LOWEST);
        sweep(chunk, &query, blocks, count, CHUNK, 1, &keeper);
    }
    keeper_prune(&keeper);
    keeper_sort(&keeper);
    return keeper.count;
}

/* Every row's score, deleted rows' too. scores: block->rows int64. */
EXPORT void emk_scores(int target, int is_table, const void *integers, int64_t columns,
                       int32_t offset, const struct block *block, int64_t *scores) {
    const struct query query = query_of(is_table, integers, columns, offset);
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
    int32_t values[CHUNK];
    uint64_t hits[CHUNK_BLOCKS];
    for (int64_t first = 0; first < block->rows; first += CHUNK) {
        const int64_t rows = block->rows - first < CHUNK ? block->rows - first : CHUNK;
        score_chunk(targets[target].chunk, &query, block, first, rows, 0.0f, values,
                    hits);
        for (int64_t row = 0; row < rows; row++)
            scores[first + row] = (int64_t)values[row] * gains[first + row];
    }
}

/* Find the best `keep` of some rows of one int8 block; equal scores in the order of `positions`.
 * work and the result: as emk_scan. A mask is not looked at: the rows come from a scan. */
EXPORT int64_t emk_rescore(int target, const int8_t *weights, int64_t columns,
                           const struct block *block, const int64_t *positions, int64_t count,
                           int64_t keep, int64_t capacity, int64_t *work) {
    const struct query query = query_of(0, weights, columns, 0);
    const uint8_t *codes = (const uint8_t *)(uintptr_t)block->codes;
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
    struct keeper keeper;
    keeper_place(&keeper, work, capacity);
    keeper_start(&keeper, keep, LOWEST);
    for (int64_t i = 0; i < count; i++) {
        /* Rows lie far apart: ask for one while others are computed. */
        if (i + 4 < count)
            for (int64_t byte = 0; byte < columns; byte += 64)
                __builtin_prefetch(codes + positions[i + 4] * columns + byte);
        int32_t value;
        targets[target].dots(&query, codes + positions[i] * columns, 1, &value);
        keeper_offer(&keeper, 1, &value, gains + positions[i], 0, positions[i]);
    }
    keeper_prune(&keeper);
    keeper_sort(&keeper);
    return keeper.count;
}

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

/* The largest entry; see quantizer.py. */
#define LARGEST_ENTRY 63.0

/* Codes in a nibble: 4, 2, 1. (A division would call the compiler's own library on some CPUs.) */
static int codes_per_nibble(int bits) { return 4 >> (bits >> 1); }

/* level[place][value]: the level of the code at that place of a nibble. */
static void spread_levels(int bits, const float *levels, double level[4][16]) {
    for (int place = 0; place < codes_per_nibble(bits); place++)
        for (int value = 0; value < 16; value++)
            level[place][value] = (double)levels[value >> (place * bits) & ((1 << bits) - 1)];
}

/* What the 16 values of one nibble stand for; returns the least of them. */
static double nibble_table(const float *query, int64_t dim, int per_nibble, int64_t nibble,
                           double level[4][16], double *table) {
    for (int value = 0; value < 16; value++)
        table[value] = 0.0;
    for (int place = 0; place < per_nibble; place++) {
        const int64_t at = nibble * per_nibble + place;
        const double coordinate = at < dim ? (double)query[at] : 0.0;
        for (int value = 0; value < 16; value++)
            table[value] += coordinate * level[place][value];
    }
    double low = table[0];
    for (int value = 1; value < 16; value++)
        low = table[value] < low ? table[value] : low;
    return low;
}

/* `prepare` of quantizer.py for 1, 2 and 4 bits. entries: nibbles x 16. Returns the offset. */
EXPORT int32_t emk_table(const float *query, int64_t dim, int bits, const float *levels,
                         int64_t nibbles, uint8_t *entries) {
    double level[4][16], table[16], low_sum = 0.0, span = 0.0;
    const int per_nibble = codes_per_nibble(bits);
    spread_levels(bits, levels, level);
    for (int64_t nibble = 0; nibble < nibbles; nibble++) {
        const double low = nibble_table(query, dim, per_nibble, nibble, level, table);
        low_sum += low;
        for (int value = 0; value < 16; value++)
            span = table[value] - low > span ? table[value] - low : span;
    }
    const double scale = span == 0.0 ? 0.0 : LARGEST_ENTRY / span;
    for (int64_t nibble = 0; nibble < nibbles; nibble++, entries += 16) {
        const double low = nibble_table(query, dim, per_nibble, nibble, level, table);
        for (int value = 0; value < 16; value++)
            entries[value] = (uint8_t)(int32_t)nearest((table[value] - low) * scale);
    }
    return (int32_t)nearest(low_sum * scale);
}

/* `prepare` of quantizer.py for 8 bits. weights: dim. */
EXPORT void emk_weights(const float *query, int64_t dim, int8_t *weights) {
    double top = 0.0;
    for (int64_t i = 0; i < dim; i++) {
        const double size = query[i] < 0 ? -(double)query[i] : (double)query[i];
        top = size > top ? size : top;
    }
    const double factor = top == 0.0 ? 0.0 : 127.0 / top;
    for (int64_t i = 0; i < dim; i++)
        weights[i] = (int8_t)(int32_t)nearest((double)query[i] * factor);
}
