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
 *   5. the whole scan                  emk_scan, emk_scores
 *   6. making a query                  emk_turn, emk_table, emk_weights
 */
#include <stdint.h>

#if defined(__i386__)
#error "32-bit x86 rounds doubles to 80 bits, which would change a query's integers"
#endif

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

/* Rises with any change of the functions' arguments; Python refuses another number. */
#define INTERFACE 1

/* ---- 1. What Python hands over ------------------------------------------------------------- */

/* Rows of a block: 32 bytes, one of every row, stand together for each byte of a code. */
#define BLOCK 32
/* Rows scored at a time, four blocks: each load of a table then serves four loads of codes. */
#define CHUNK 128
/* Code bytes whose two entries of at most 255 each cannot overflow a 16-bit sum. */
#define SAFE_COLUMNS 128

/* Rows that follow one another. Addresses are 64 bits wide on every machine. */
struct block {
    uint64_t codes; /* table codes: ceil(rows / 32) x columns x 32 bytes; int8: rows x columns */
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

/* A chunk function writes the values (sum + offset, or dot product) of up to CHUNK rows, and says
 * in which of its blocks some row's value x gain may exceed `limit`: bit b for block b.
 *
 * The products are formed in float32, each off by at most two roundings (a factor of 1 +- 2^-23).
 * `limit` lies lower than the exact threshold by more than that (limit_of), so no row is missed;
 * rows that only seem to exceed it are refused by keeper_offer in exact arithmetic. */
typedef unsigned chunk_function(const struct query *query, const uint8_t *codes,
                                const uint16_t *gains, int64_t rows, float limit, int32_t *values);

/* `gains` is readable, and `values` is set, up to the end of the last block. Plain C that each
 * target's compiler turns into its own vectors. */
INLINE unsigned reaching(const int32_t *values, const uint16_t *gains, int64_t rows, float limit) {
    unsigned blocks = 0;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int reaches = 0;
        for (int row = 0; row < BLOCK; row++)
            reaches |= (float)values[first + row] * (float)gains[first + row] > limit;
        blocks |= (unsigned)reaches << (first / BLOCK);
    }
    return blocks;
}

/* Sums of table entries for `groups` blocks, one implementation a target. */
INLINE void sums_scalar(const struct query *query, const uint8_t *codes, int groups,
                        int32_t *values) {
    for (int group = 0; group < groups; group++, codes += query->columns * BLOCK, values += BLOCK) {
        for (int row = 0; row < BLOCK; row++)
            values[row] = query->offset;
        for (int64_t column = 0; column < query->columns; column++) {
            const uint8_t *low = query->entries + 32 * column, *high = low + 16;
            const uint8_t *bytes = codes + column * BLOCK;
            for (int row = 0; row < BLOCK; row++)
                values[row] += low[bytes[row] & 15] + high[bytes[row] >> 4];
        }
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

/* The body of every chunk function: GROUPS blocks at once where there are as many. */
#define CHUNK_BODY(GROUPS, SUMS, DOTS)                                                            \
    if (query->entries) {                                                                         \
        int64_t row = 0;                                                                          \
        for (; row + (GROUPS) * BLOCK <= rows; row += (GROUPS) * BLOCK)                           \
            SUMS(query, codes + row * query->columns, GROUPS, values + row);                      \
        for (; row < rows; row += BLOCK)                                                          \
            SUMS(query, codes + row * query->columns, 1, values + row);                           \
    } else {                                                                                      \
        DOTS(query, codes, rows, values);                                                         \
        for (int64_t row = rows; row % BLOCK; row++)                                              \
            values[row] = 0;                                                                      \
    }                                                                                             \
    return reaching(values, gains, rows, limit);

static unsigned chunk_scalar(const struct query *query, const uint8_t *codes,
                             const uint16_t *gains, int64_t rows, float limit, int32_t *values) {
    CHUNK_BODY(1, sums_scalar, dots_scalar)
}

/* The vector targets look up 16 to 64 nibbles with one shuffle and add the entries as 16-bit
 * numbers. x86 has no widening addition, so a vector of bytes is added twice: as it is (even bytes
 * plus 256 x odd bytes, modulo 2^16) and shifted right by 8 (odd bytes alone). At the end
 * even = whole - 256 x odd, exact modulo 2^16 and therefore exact. */

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* -- SSSE3: every x86-64 since 2006 (Intel) and 2011 (AMD) -- */
#define SSSE3 __attribute__((target("ssse3")))

SSSE3 INLINE void sums_ssse3(const struct query *query, const uint8_t *codes, const int groups,
                             int32_t *values) {
    const __m128i nibble = _mm_set1_epi8(15), zero = _mm_setzero_si128();
    const int64_t columns = query->columns;
    for (int row = 0; row < groups * BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m128i whole[8], odd[8]; /* 16 rows each */
        for (int half = 0; half < 2 * groups; half++)
            whole[half] = odd[half] = zero;
        for (int64_t column = first; column < last; column++) {
            const uint8_t *entries = query->entries + 32 * column;
            const __m128i low = _mm_loadu_si128((const __m128i *)entries);
            const __m128i high = _mm_loadu_si128((const __m128i *)(entries + 16));
            for (int half = 0; half < 2 * groups; half++) {
                const uint8_t *place = codes + (half / 2 * columns + column) * BLOCK;
                const __m128i bytes = _mm_loadu_si128((const __m128i *)place + half % 2);
                const __m128i a = _mm_shuffle_epi8(low, _mm_and_si128(bytes, nibble));
                const __m128i b =
                    _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
                whole[half] = _mm_add_epi16(whole[half], _mm_add_epi16(a, b));
                odd[half] = _mm_add_epi16(
                    odd[half], _mm_add_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8)));
            }
        }
        for (int half = 0; half < 2 * groups; half++) {
            const __m128i even = _mm_sub_epi16(whole[half], _mm_slli_epi16(odd[half], 8));
            const __m128i rows[2] = {_mm_unpacklo_epi16(even, odd[half]),
                                     _mm_unpackhi_epi16(even, odd[half])};
            for (int part = 0; part < 4; part++) {
                const __m128i four = part % 2 ? _mm_unpackhi_epi16(rows[part / 2], zero)
                                              : _mm_unpacklo_epi16(rows[part / 2], zero);
                __m128i *target = (__m128i *)(values + 16 * half + 4 * part);
                _mm_storeu_si128(target, _mm_add_epi32(_mm_loadu_si128(target), four));
            }
        }
    }
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

SSSE3 static unsigned chunk_ssse3(const struct query *query, const uint8_t *codes,
                                  const uint16_t *gains, int64_t rows, float limit,
                                  int32_t *values) {
    CHUNK_BODY(1, sums_ssse3, dots_ssse3)
}

/* -- AVX2 -- */
#define AVX2 __attribute__((target("avx2")))

/* Add a block's 16-bit sums to its values. */
AVX2 INLINE void widen_avx2(__m256i whole, __m256i odd, int32_t *values) {
    const __m256i even = _mm256_sub_epi16(whole, _mm256_slli_epi16(odd, 8));
    const __m256i low = _mm256_unpacklo_epi16(even, odd);  /* rows 0..7, 16..23 */
    const __m256i high = _mm256_unpackhi_epi16(even, odd); /* rows 8..15, 24..31 */
    const __m128i rows[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                             _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
    for (int part = 0; part < 4; part++) {
        __m256i *target = (__m256i *)(values + 8 * part);
        const __m256i eight = _mm256_cvtepu16_epi32(rows[part]);
        _mm256_storeu_si256(target, _mm256_add_epi32(_mm256_loadu_si256(target), eight));
    }
}

AVX2 INLINE void sums_avx2(const struct query *query, const uint8_t *codes, const int groups,
                           int32_t *values) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const int64_t columns = query->columns;
    for (int row = 0; row < groups * BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m256i whole[4], odd[4];
        for (int group = 0; group < groups; group++)
            whole[group] = odd[group] = _mm256_setzero_si256();
        for (int64_t column = first; column < last; column++) {
            const __m128i *entries = (const __m128i *)(query->entries + 32 * column);
            const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128(entries));
            const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128(entries + 1));
            for (int group = 0; group < groups; group++) {
                const uint8_t *place = codes + (group * columns + column) * BLOCK;
                const __m256i bytes = _mm256_loadu_si256((const __m256i *)place);
                const __m256i a = _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble));
                const __m256i b = _mm256_shuffle_epi8(
                    high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
                whole[group] = _mm256_add_epi16(whole[group], _mm256_add_epi16(a, b));
                odd[group] = _mm256_add_epi16(
                    odd[group],
                    _mm256_add_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
            }
        }
        for (int group = 0; group < groups; group++)
            widen_avx2(whole[group], odd[group], values + group * BLOCK);
    }
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

AVX2 static unsigned chunk_avx2(const struct query *query, const uint8_t *codes,
                                const uint16_t *gains, int64_t rows, float limit,
                                int32_t *values) {
    CHUNK_BODY(4, sums_avx2, dots_avx2)
}

/* -- AVX-512 with BW, VL and VNNI: Intel since 2019, AMD since 2022 -- */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/* Two columns at once: their four tables of 16 are 64 bytes, as are 2 x 32 rows. */
AVX512 INLINE void sums_avx512(const struct query *query, const uint8_t *codes, const int groups,
                               int32_t *values) {
    const __m512i nibble = _mm512_set1_epi8(15);
    const int64_t columns = query->columns;
    for (int row = 0; row < groups * BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m512i whole[4], odd[4];
        for (int group = 0; group < groups; group++)
            whole[group] = odd[group] = _mm512_setzero_si512();
        for (int64_t column = first; column < last; column += 2) {
            /* A last column without a partner: zeros in place of the partner's tables. */
            const __mmask8 there = column + 1 < last ? 0xFF : 0x0F;
            const __m512i tables = _mm512_maskz_loadu_epi64(there, query->entries + 32 * column);
            const __m512i low = _mm512_shuffle_i64x2(tables, tables, 0xA0);  /* 0 0 2 2 */
            const __m512i high = _mm512_shuffle_i64x2(tables, tables, 0xF5); /* 1 1 3 3 */
            for (int group = 0; group < groups; group++) {
                const uint8_t *place = codes + (group * columns + column) * BLOCK;
                const __m512i bytes = _mm512_maskz_loadu_epi64(there, place);
                const __m512i a = _mm512_shuffle_epi8(low, _mm512_and_si512(bytes, nibble));
                const __m512i b = _mm512_shuffle_epi8(
                    high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble));
                whole[group] = _mm512_add_epi16(whole[group], _mm512_add_epi16(a, b));
                odd[group] = _mm512_add_epi16(
                    odd[group],
                    _mm512_add_epi16(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8)));
            }
        }
        for (int group = 0; group < groups; group++)
            widen_avx2(_mm256_add_epi16(_mm512_castsi512_si256(whole[group]),
                                        _mm512_extracti64x4_epi64(whole[group], 1)),
                       _mm256_add_epi16(_mm512_castsi512_si256(odd[group]),
                                        _mm512_extracti64x4_epi64(odd[group], 1)),
                       values + group * BLOCK);
    }
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

AVX512 static unsigned chunk_avx512(const struct query *query, const uint8_t *codes,
                                    const uint16_t *gains, int64_t rows, float limit,
                                    int32_t *values) {
    CHUNK_BODY(4, sums_avx512, dots_avx512)
}
#endif /* x86-64 */

#if defined(__aarch64__)
#include <arm_neon.h>

/* -- NEON: every aarch64 -- */
INLINE void sums_neon(const struct query *query, const uint8_t *codes, const int groups,
                      int32_t *values) {
    const uint8x16_t nibble = vdupq_n_u8(15);
    const int64_t columns = query->columns;
    for (int row = 0; row < groups * BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        uint16x8_t sums[8]; /* eight rows each */
        for (int part = 0; part < 4 * groups; part++)
            sums[part] = vdupq_n_u16(0);
        for (int64_t column = first; column < last; column++) {
            const uint8x16_t low = vld1q_u8(query->entries + 32 * column);
            const uint8x16_t high = vld1q_u8(query->entries + 32 * column + 16);
            for (int half = 0; half < 2 * groups; half++) {
                const uint8_t *place = codes + (half / 2 * columns + column) * BLOCK;
                const uint8x16_t bytes = vld1q_u8(place + half % 2 * 16);
                const uint8x16_t a = vqtbl1q_u8(low, vandq_u8(bytes, nibble));
                const uint8x16_t b = vqtbl1q_u8(high, vshrq_n_u8(bytes, 4));
                sums[2 * half] = vaddq_u16(
                    sums[2 * half], vaddl_u8(vget_low_u8(a), vget_low_u8(b)));
                sums[2 * half + 1] = vaddq_u16(sums[2 * half + 1], vaddl_high_u8(a, b));
            }
        }
        for (int part = 0; part < 4 * groups; part++) {
            int32_t *target = values + 8 * part;
            const int32x4_t low = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(sums[part])));
            const int32x4_t high = vreinterpretq_s32_u32(vmovl_high_u16(sums[part]));
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
            sum = vpadalq_s16(sum, vmull_high_s8(a, b));
        }
        values[row] = vaddvq_s32(sum) + dot_scalar(query->weights, codes, even, columns);
    }
}

static unsigned chunk_neon(const struct query *query, const uint8_t *codes, const uint16_t *gains,
                           int64_t rows, float limit, int32_t *values) {
    CHUNK_BODY(2, sums_neon, dots_neon)
}

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

DOTPROD static unsigned chunk_dotprod(const struct query *query, const uint8_t *codes,
                                      const uint16_t *gains, int64_t rows, float limit,
                                      int32_t *values) {
    CHUNK_BODY(2, sums_neon, dots_dotprod)
}
#endif /* aarch64 */

#if defined(__arm__)
/* -- NEON on 32-bit ARM: every ARMv7 board but a few, no ARMv6 -- */
#pragma GCC push_options
#pragma GCC target("arch=armv7-a+neon")
#include <arm_neon.h>

INLINE void sums_neon(const struct query *query, const uint8_t *codes, const int groups,
                      int32_t *values) {
    const uint8x8_t nibble = vdup_n_u8(15);
    const int64_t columns = query->columns;
    for (int row = 0; row < groups * BLOCK; row++)
        values[row] = query->offset;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        uint16x8_t sums[4]; /* eight rows each; one block */
        for (int part = 0; part < 4 * groups; part++)
            sums[part] = vdupq_n_u16(0);
        for (int64_t column = first; column < last; column++) {
            const uint8_t *entries = query->entries + 32 * column;
            const uint8x8x2_t low = {{vld1_u8(entries), vld1_u8(entries + 8)}};
            const uint8x8x2_t high = {{vld1_u8(entries + 16), vld1_u8(entries + 24)}};
            for (int part = 0; part < 4 * groups; part++) {
                const uint8x8_t bytes = vld1_u8(codes + column * BLOCK + 8 * part);
                const uint8x8_t a = vtbl2_u8(low, vand_u8(bytes, nibble));
                const uint8x8_t b = vtbl2_u8(high, vshr_n_u8(bytes, 4));
                sums[part] = vaddq_u16(sums[part], vaddl_u8(a, b));
            }
        }
        for (int part = 0; part < 4 * groups; part++) {
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

static unsigned chunk_neon(const struct query *query, const uint8_t *codes, const uint16_t *gains,
                           int64_t rows, float limit, int32_t *values) {
    CHUNK_BODY(1, sums_neon, dots_neon)
}
#pragma GCC pop_options
#endif /* 32-bit ARM */

/* ---- 3. Which targets this CPU has --------------------------------------------------------- */

/* Numbers known to Python, slowest first. */
enum { SCALAR, SSSE3_TARGET, AVX2_TARGET, AVX512_TARGET, NEON_TARGET, DOTPROD_TARGET, TARGETS };

static chunk_function *const chunk_functions[TARGETS] = {
    [SCALAR] = chunk_scalar,
#if defined(__x86_64__)
    [SSSE3_TARGET] = chunk_ssse3,
    [AVX2_TARGET] = chunk_avx2,
    [AVX512_TARGET] = chunk_avx512,
#endif
#if defined(__aarch64__) || defined(__arm__)
    [NEON_TARGET] = chunk_neon,
#endif
#if defined(__aarch64__)
    [DOTPROD_TARGET] = chunk_dotprod,
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

/* Take those rows of one block that beat the threshold. `rows` is at most BLOCK. */
static void keeper_offer(struct keeper *keeper, const int32_t *values, const uint16_t *gains,
                         const uint8_t *alive, int64_t rows, int64_t position) {
    if (keeper->count + BLOCK > keeper->capacity)
        keeper_prune(keeper);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t score = (int64_t)values[row] * gains[row];
        if (score > keeper->threshold && (!alive || alive[row])) {
            keeper->scores[keeper->count] = score;
            keeper->positions[keeper->count++] = position + row;
        }
    }
}

/* By falling score; a merge sort, so equal scores stay in rising order of position. */
static void keeper_sort(struct keeper *keeper) {
    int64_t *scores = keeper->scores, *positions = keeper->positions;
    int64_t *to_scores = keeper->spare_scores, *to_positions = keeper->spare_positions;
    const int64_t count = keeper->count;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t start = 0; start < count; start += 2 * width) {
            const int64_t middle = start + width < count ? start + width : count;
            const int64_t end = middle + width < count ? middle + width : count;
            int64_t left = start, right = middle;
            for (int64_t out = start; out < end; out++) {
                const int take_left =
                    left < middle && (right >= end || scores[left] >= scores[right]);
                const int64_t from = take_left ? left++ : right++;
                to_scores[out] = scores[from];
                to_positions[out] = positions[from];
            }
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

/* Score up to CHUNK rows of a block list entry from row `first` (a multiple of BLOCK) on. Returns
 * the bits of `chunk_function`. The gains of an unfinished last block are copied, so that whole
 * blocks can be read. */
static unsigned score_chunk(chunk_function *chunk, const struct query *query,
                            const struct block *block, int64_t first, int64_t rows, float limit,
                            int32_t *values) {
    const uint8_t *codes = (const uint8_t *)(uintptr_t)block->codes + first * query->columns;
    const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains + first;
    uint16_t padded[CHUNK];
    if (rows % BLOCK) {
        for (int64_t row = 0; row < CHUNK; row++)
            padded[row] = row < rows ? gains[row] : 0;
        gains = padded;
    }
    return chunk(query, codes, gains, rows, limit, values);
}

/* Offer every `stride`-th piece of `piece` rows, counted through all blocks, to the keeper. */
static void sweep(chunk_function *chunk, const struct query *query, const struct block *blocks,
                  int64_t count, int64_t piece, int64_t stride, struct keeper *keeper) {
    int32_t values[CHUNK];
    int64_t position = 0, number = 0;
    for (int64_t b = 0; b < count; position += blocks[b++].rows) {
        const struct block *block = &blocks[b];
        const uint16_t *gains = (const uint16_t *)(uintptr_t)block->gains;
        const uint8_t *alive = (const uint8_t *)(uintptr_t)block->alive;
        for (int64_t first = 0; first < block->rows; first += piece) {
            if (number++ % stride)
                continue;
            const int64_t rows = block->rows - first < piece ? block->rows - first : piece;
            unsigned hits =
                score_chunk(chunk, query, block, first, rows, keeper->limit, values);
            for (; hits; hits &= hits - 1) {
                const int64_t at = (int64_t)__builtin_ctz(hits) * BLOCK;
                keeper_offer(keeper, values + at, gains + first + at,
                             alive ? alive + first + at : 0,
                             rows - at < BLOCK ? rows - at : BLOCK, position + first + at);
            }
        }
    }
}

/* Rows of a sample that are expected to be among the best `keep`. */
#define SAMPLE_HITS 16
/* The sample's rank taken as threshold: 16 expected plus six standard deviations. A threshold that
 * is too high costs a second sweep, nothing else. */
#define SAMPLE_RANK 40

static struct query query_of(int is_table, const void *integers, int64_t columns, int32_t offset) {
    const struct query query = {is_table ? (const uint8_t *)integers : 0,
                                is_table ? 0 : (const int8_t *)integers, columns, offset};
    return query;
}

/* Find the best `keep` living rows of all blocks.
 *
 * work: 4 x capacity int64, capacity >= keep + 32 and >= 72. The result stands at its start:
 * scores by falling score, and from work + capacity on their positions. Returns how many. */
EXPORT int64_t emk_scan(int target, int is_table, const void *integers, int64_t columns,
                        int32_t offset, const struct block *blocks, int64_t count, int64_t keep,
                        int64_t capacity, int64_t *work) {
    const struct query query = query_of(is_table, integers, columns, offset);
    chunk_function *chunk = chunk_functions[target];
    struct keeper keeper;
    keeper.scores = work;
    keeper.positions = work + capacity;
    keeper.spare_scores = work + 2 * capacity;
    keeper.spare_positions = work + 3 * capacity;
    keeper.capacity = capacity;
    int64_t total = 0;
    for (int64_t b = 0; b < count; b++)
        total += blocks[b].rows;
    int64_t threshold = LOWEST;
    /* Estimate the threshold where the sample is a small part of the scan; most rows are then
     * refused from the start. */
    const int64_t stride = keep / SAMPLE_HITS;
    if (stride >= 8 && total / stride >= 4 * SAMPLE_RANK) {
        keeper_start(&keeper, SAMPLE_RANK, LOWEST);
        sweep(chunk, &query, blocks, count, BLOCK, stride, &keeper);
        keeper_prune(&keeper);
        if (keeper.count == SAMPLE_RANK && keeper.threshold > LOWEST)
            threshold = keeper.threshold - 1;
    }
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
    for (int64_t first = 0; first < block->rows; first += CHUNK) {
        const int64_t rows = block->rows - first < CHUNK ? block->rows - first : CHUNK;
        score_chunk(chunk_functions[target], &query, block, first, rows, 0.0f, values);
        for (int64_t row = 0; row < rows; row++)
            scores[first + row] = (int64_t)values[row] * gains[first + row];
    }
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

/* The sums that the 16 values of one nibble stand for. */
static void nibble_table(const float *query, int64_t dim, int bits, const float *levels,
                         int64_t nibble, double *table) {
    const int per_nibble = 4 / bits, mask = (1 << bits) - 1;
    for (int value = 0; value < 16; value++)
        table[value] = 0.0;
    for (int place = 0; place < per_nibble; place++) {
        const int64_t at = nibble * per_nibble + place;
        const double coordinate = at < dim ? (double)query[at] : 0.0;
        for (int value = 0; value < 16; value++)
            table[value] += coordinate * (double)levels[value >> (place * bits) & mask];
    }
}

/* `prepare` of quantizer.py for 1, 2 and 4 bits. entries: nibbles x 16. Returns the offset. */
EXPORT int32_t emk_table(const float *query, int64_t dim, int bits, const float *levels,
                         int64_t nibbles, uint8_t *entries) {
    double table[16], low_sum = 0.0, span = 0.0;
    for (int64_t nibble = 0; nibble < nibbles; nibble++) {
        nibble_table(query, dim, bits, levels, nibble, table);
        double low = table[0], high = table[0];
        for (int value = 1; value < 16; value++) {
            low = table[value] < low ? table[value] : low;
            high = table[value] > high ? table[value] : high;
        }
        low_sum += low;
        span = high - low > span ? high - low : span;
    }
    const double step = span / 255.0;
    for (int64_t nibble = 0; nibble < nibbles; nibble++, entries += 16) {
        nibble_table(query, dim, bits, levels, nibble, table);
        double low = table[0];
        for (int value = 1; value < 16; value++)
            low = table[value] < low ? table[value] : low;
        for (int value = 0; value < 16; value++)
            entries[value] =
                step == 0.0 ? 0 : (uint8_t)(int32_t)nearest((table[value] - low) / step);
    }
    return step == 0.0 ? 0 : (int32_t)nearest(low_sum / step);
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
