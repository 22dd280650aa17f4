/* ---- 2. The vector targets of x86-64 ------------------------------------------------------- */

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

/* Whether any of eight rows may exceed the bar. */
SSSE3 INLINE __m128i quick_ssse3(__m128i sums, const uint16_t *gains, const struct query *query,
                                 const struct bar *bar) {
    const __m128i value = _mm_add_epi16(sums, _mm_set1_epi16((short)query->offset));
    const __m128i gain = _mm_loadu_si128((const __m128i *)gains);
    const __m128i product = _mm_mulhi_epi16(_mm_sll_epi16(value, _mm_cvtsi32_si128(bar->left)),
                                            _mm_sll_epi16(gain, _mm_cvtsi32_si128(bar->gain_left)));
    return _mm_cmpgt_epi16(product, _mm_set1_epi16((short)bar->quick));
}

SSSE3 INLINE uint64_t sums_ssse3(SUMS_ARGUMENTS) {
    const __m128i zero = _mm_setzero_si128();
    const int64_t columns = query->columns;
    uint64_t found = 0;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m128i whole[4], odd[4], rows[8]; /* 16 rows each, then 8 */
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
            rows[2 * part] = _mm_unpacklo_epi16(even, odd[part]);
            rows[2 * part + 1] = _mm_unpackhi_epi16(even, odd[part]);
        }
        if (bar->narrow) {
            for (int part = 0; part < 8; part += 2) {
                const __m128i sixteen = _mm_packs_epi16(
                    quick_ssse3(rows[part], gains + 8 * part, query, bar),
                    quick_ssse3(rows[part + 1], gains + 8 * part + 8, query, bar));
                found |= (uint64_t)(unsigned)_mm_movemask_epi8(sixteen) << 8 * part;
            }
            if (!found)
                return 0;
        }
        for (int part = 0; part < 16; part++) {
            const __m128i four = part % 2 ? _mm_unpackhi_epi16(rows[part / 2], zero)
                                          : _mm_unpacklo_epi16(rows[part / 2], zero);
            __m128i *target = (__m128i *)(values + 4 * part);
            const __m128i before = first ? _mm_loadu_si128(target) : _mm_set1_epi32(query->offset);
            _mm_storeu_si128(target, _mm_add_epi32(before, four));
        }
    }
    return found;
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

/* Products of two bytes, two of them added, stay below 2^15: levels are at most 126. */
SSSE3 INLINE int32_t packed_sum_ssse3(const struct packed *packed, const uint8_t *row,
                                      const int bits) {
    const __m128i levels = _mm_loadu_si128((const __m128i *)packed->levels);
    const __m128i mask = _mm_set1_epi8((char)((1 << bits) - 1)), ones = _mm_set1_epi16(1);
    __m128i sum = _mm_setzero_si128();
    for (int64_t i = 0; i < packed->columns; i += 16) {
        const uint8_t *codes = row + i;
        FILLED_UP(16)
        if (packed->columns - i < 16)
            codes = filled;
        __m128i bytes = _mm_loadu_si128((const __m128i *)codes);
        for (int plane = 0; plane < 8 / bits; plane++) {
            const __m128i *weights = (const __m128i *)(packed->weights + plane * packed->stride + i);
            const __m128i level = _mm_shuffle_epi8(levels, _mm_and_si128(bytes, mask));
            const __m128i pairs = _mm_maddubs_epi16(level, _mm_loadu_si128(weights));
            sum = _mm_add_epi32(sum, _mm_madd_epi16(pairs, ones));
            bytes = _mm_srli_epi16(bytes, bits);
        }
    }
    sum = _mm_hadd_epi32(sum, sum);
    return _mm_cvtsi128_si32(_mm_hadd_epi32(sum, sum));
}

SSSE3 static int32_t packed_ssse3(PACKED_ARGUMENTS) { PACKED_BODY(packed_sum_ssse3) }

/* -- AVX2 -- */
#define AVX2 __attribute__((target("avx2")))

/* Write eight 16-bit sums plus `offset`; `more`: to what is there already, without it. */
AVX2 INLINE void widen_avx2(__m128i sums, int more, int32_t offset, int32_t *values) {
    __m256i *target = (__m256i *)values;
    const __m256i before = more ? _mm256_loadu_si256(target) : _mm256_set1_epi32(offset);
    _mm256_storeu_si256(target, _mm256_add_epi32(before, _mm256_cvtepu16_epi32(sums)));
}

/* Which of 16 rows may exceed the bar. */
AVX2 INLINE __m256i quick_avx2(__m256i sums, __m256i gains, const struct query *query,
                               const struct bar *bar) {
    const __m256i value = _mm256_add_epi16(sums, _mm256_set1_epi16((short)query->offset));
    const __m256i product =
        _mm256_mulhi_epi16(_mm256_sll_epi16(value, _mm_cvtsi32_si128(bar->left)),
                           _mm256_sll_epi16(gains, _mm_cvtsi32_si128(bar->gain_left)));
    return _mm256_cmpgt_epi16(product, _mm256_set1_epi16((short)bar->quick));
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

AVX2 INLINE uint64_t sums_avx2(SUMS_ARGUMENTS) {
    const int64_t columns = query->columns;
    uint64_t found = 0;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        __m256i whole[2], odd[2], low[2], high[2]; /* 32 rows each; then 0..7, 16..23 and the rest */
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
        for (int half = 0; half < 2; half++) {
            const __m256i even = _mm256_sub_epi16(whole[half], _mm256_slli_epi16(odd[half], 8));
            const __m256i *place = (const __m256i *)(gains + 32 * half);
            const __m256i a = _mm256_loadu_si256(place), b = _mm256_loadu_si256(place + 1);
            low[half] = _mm256_unpacklo_epi16(even, odd[half]);
            high[half] = _mm256_unpackhi_epi16(even, odd[half]);
            const __m256i more = _mm256_packs_epi16(
                quick_avx2(low[half], _mm256_permute2x128_si256(a, b, 0x20), query, bar),
                quick_avx2(high[half], _mm256_permute2x128_si256(a, b, 0x31), query, bar));
            found |= (uint64_t)(unsigned)_mm256_movemask_epi8(more) << 32 * half;
        }
        if (bar->narrow && !found)
            return 0;
        for (int half = 0; half < 2; half++) {
            int32_t *target = values + 32 * half;
            widen_avx2(_mm256_castsi256_si128(low[half]), first > 0, query->offset, target);
            widen_avx2(_mm256_castsi256_si128(high[half]), first > 0, query->offset, target + 8);
            widen_avx2(_mm256_extracti128_si256(low[half], 1), first > 0, query->offset,
                       target + 16);
            widen_avx2(_mm256_extracti128_si256(high[half], 1), first > 0, query->offset,
                       target + 24);
        }
    }
    return found;
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

AVX2 INLINE int32_t packed_sum_avx2(const struct packed *packed, const uint8_t *row,
                                    const int bits) {
    const __m256i levels =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)packed->levels));
    const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1)), ones = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();
    for (int64_t i = 0; i < packed->columns; i += 32) {
        const uint8_t *codes = row + i;
        FILLED_UP(32)
        if (packed->columns - i < 32)
            codes = filled;
        __m256i bytes = _mm256_loadu_si256((const __m256i *)codes);
        for (int plane = 0; plane < 8 / bits; plane++) {
            const __m256i *weights = (const __m256i *)(packed->weights + plane * packed->stride + i);
            const __m256i level = _mm256_shuffle_epi8(levels, _mm256_and_si256(bytes, mask));
            const __m256i pairs = _mm256_maddubs_epi16(level, _mm256_loadu_si256(weights));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
            bytes = _mm256_srli_epi16(bytes, bits);
        }
    }
    return total_avx2(sum);
}

AVX2 static int32_t packed_avx2(PACKED_ARGUMENTS) { PACKED_BODY(packed_sum_avx2) }

/* -- AVX-512 with BW, VL, VNNI and VBMI: Intel since 2019 (Ice Lake), AMD since 2022 (Zen 4) -- */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))

/* The entries of both nibbles of 64 bytes. vpermb takes the lower six bits of a byte as the index
 * into a table of 64, here four times the same 16: what stands above a nibble need not be masked. */
AVX512 INLINE __m512i pair_avx512(__m512i low, __m512i high, const uint8_t *codes) {
    __m512i bytes = _mm512_loadu_si512(codes);
    __asm__("" : "+v"(bytes)); /* one load: a second one as an operand would be the bottleneck */
    return _mm512_add_epi8(_mm512_permutexvar_epi8(bytes, low),
                           _mm512_permutexvar_epi8(_mm512_srli_epi16(bytes, 4), high));
}

AVX512 INLINE __m512i table_avx512(const uint8_t *entries) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)entries));
}

/* Which of 32 rows may exceed the bar. */
AVX512 INLINE __mmask32 quick_avx512(__m512i sums, __m512i gains, const struct query *query,
                                     const struct bar *bar) {
    const __m512i value = _mm512_add_epi16(sums, _mm512_set1_epi16((short)query->offset));
    const __m512i product =
        _mm512_mulhi_epi16(_mm512_sll_epi16(value, _mm_cvtsi32_si128(bar->left)),
                           _mm512_sll_epi16(gains, _mm_cvtsi32_si128(bar->gain_left)));
    return _mm512_cmpgt_epi16_mask(product, _mm512_set1_epi16((short)bar->quick));
}

/* Bits of rows 0..7, 16..23, ... and of the rows between them, in the order of the rows. */
INLINE uint64_t interleaved(uint32_t low, uint32_t high) {
    uint64_t even = low, odd = high;
    even = (even | even << 16) & 0x0000FFFF0000FFFF;
    odd = (odd | odd << 16) & 0x0000FFFF0000FFFF;
    even = (even | even << 8) & 0x00FF00FF00FF00FF;
    odd = (odd | odd << 8) & 0x00FF00FF00FF00FF;
    return even | odd << 8;
}

/* Bytes ahead that are asked for, in the order of memory: blocks that are read side by side are too
 * many places at once for the CPU's own reading ahead. From memory (32 MB of codes) four blocks come
 * at 2.7 times the speed with it. */
#define READ_AHEAD 8192

/* Rows of a block whose values are taken one by one; of more, those of all rows are made. */
#define FEW_HITS 8

/* Write the values of the rows in the mask `hits`, which are few, and say whether they were.
 * even, odd: sums of every other row. */
AVX512 INLINE int pick_avx512(__m512i even, __m512i odd, uint64_t hits, int32_t offset,
                              int32_t *values) {
    uint16_t sums[2][BLOCK / 2];
    _mm512_storeu_si512(sums[0], even);
    _mm512_storeu_si512(sums[1], odd);
    for (int left = FEW_HITS; hits && left; hits &= hits - 1, left--) {
        const int row = __builtin_ctzll(hits);
        values[row] = sums[row & 1][row >> 1] + offset;
    }
    return !hits;
}

/* Sums of `blocks` blocks: each table is loaded once for all. Where the bar is narrow, a quick look
 * sets hits, and sums of other rows need not be written. */
AVX512 INLINE void sums_avx512(SUMS_ARGUMENTS, const int blocks, uint64_t *hits) {
    const int64_t columns = query->columns;
    for (int64_t first = 0; first < columns; first += SAFE_COLUMNS) {
        const int64_t last = first + SAFE_COLUMNS < columns ? first + SAFE_COLUMNS : columns;
        const uint8_t *ahead = codes + blocks * first * BLOCK + READ_AHEAD;
        __m512i whole[CHUNK_BLOCKS], odd[CHUNK_BLOCKS];
        for (int b = 0; b < blocks; b++)
            whole[b] = odd[b] = _mm512_setzero_si512();
        int64_t column = first;
        for (; column + 1 < last; column += 2) {
            const uint8_t *entries = query->entries + 32 * column;
            const __m512i a = table_avx512(entries), b = table_avx512(entries + 16);
            const __m512i c = table_avx512(entries + 32), d = table_avx512(entries + 48);
            for (int one = 0; one < blocks; one++, ahead += 2 * BLOCK) {
                const uint8_t *place = codes + (one * columns + column) * BLOCK;
                if (blocks > 1) {
                    __builtin_prefetch(ahead);
                    __builtin_prefetch(ahead + BLOCK);
                }
                const __m512i sum =
                    _mm512_add_epi8(pair_avx512(a, b, place), pair_avx512(c, d, place + BLOCK));
                whole[one] = _mm512_add_epi16(whole[one], sum);
                odd[one] = _mm512_add_epi16(odd[one], _mm512_srli_epi16(sum, 8));
            }
        }
        for (int one = 0; one < blocks; one++, gains += BLOCK, values += BLOCK) {
            if (column < last) {
                const uint8_t *entries = query->entries + 32 * column;
                const __m512i sum =
                    pair_avx512(table_avx512(entries), table_avx512(entries + 16),
                                codes + (one * columns + column) * BLOCK);
                whole[one] = _mm512_add_epi16(whole[one], sum);
                odd[one] = _mm512_add_epi16(odd[one], _mm512_srli_epi16(sum, 8));
            }
            const __m512i even = _mm512_sub_epi16(whole[one], _mm512_slli_epi16(odd[one], 8));
            const __m512i low = _mm512_unpacklo_epi16(even, odd[one]);  /* rows 0..7, 16..23, ... */
            const __m512i high = _mm512_unpackhi_epi16(even, odd[one]); /* rows 8..15, 24..31, ... */
            if (bar->narrow) {
                const __m512i a = _mm512_loadu_si512(gains), b = _mm512_loadu_si512(gains + 32);
                const __mmask32 some =
                    quick_avx512(low, _mm512_shuffle_i64x2(a, b, 0x88), query, bar);
                const __mmask32 more =
                    quick_avx512(high, _mm512_shuffle_i64x2(a, b, 0xDD), query, bar);
                hits[one] = 0;
                if (!(some | more))
                    continue;
                hits[one] = interleaved(some, more);
                if (pick_avx512(even, odd[one], hits[one], query->offset, values))
                    continue;
            }
            const __m128i rows[8] = {
                _mm512_castsi512_si128(low),       _mm512_castsi512_si128(high),
                _mm512_extracti32x4_epi32(low, 1), _mm512_extracti32x4_epi32(high, 1),
                _mm512_extracti32x4_epi32(low, 2), _mm512_extracti32x4_epi32(high, 2),
                _mm512_extracti32x4_epi32(low, 3), _mm512_extracti32x4_epi32(high, 3)};
            for (int part = 0; part < 8; part++)
                widen_avx2(rows[part], first > 0, query->offset, values + 8 * part);
        }
        gains -= blocks * BLOCK, values -= blocks * BLOCK;
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

AVX512 INLINE void blocks_avx512(SUMS_ARGUMENTS, const int blocks, uint64_t *hits) {
    sums_avx512(query, codes, gains, bar, values, blocks, hits);
    for (int one = 0; one < blocks && !bar->narrow; one++)
        hits[one] = hits_avx512(values + one * BLOCK, gains + one * BLOCK, bar->limit);
}

AVX512 static void tables_avx512(CHUNK_ARGUMENTS) {
    if (rows > CHUNK - BLOCK)
        blocks_avx512(query, codes, gains, bar, values, CHUNK_BLOCKS, hits);
    else
        for (int64_t row = 0; row < rows; row += BLOCK)
            blocks_avx512(query, codes + row * query->columns, gains + row, bar, values + row, 1,
                          hits + row / BLOCK);
}

AVX512 static void chunk_avx512(CHUNK_ARGUMENTS) {
    if (query->entries)
        tables_avx512(query, codes, gains, rows, bar, values, hits);
    else {
        DOTS_BODY(dots_avx512, hits_avx512)
    }
}

AVX512 INLINE int32_t packed_sum_avx512(const struct packed *packed, const uint8_t *row,
                                        const int bits) {
    const __m512i levels =
        _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)packed->levels));
    const __m512i mask = _mm512_set1_epi8((char)((1 << bits) - 1));
    __m512i sum = _mm512_setzero_si512();
    for (int64_t i = 0; i < packed->columns; i += 64) {
        const int64_t left = packed->columns - i;
        __m512i bytes = _mm512_maskz_loadu_epi8(left < 64 ? (1ULL << left) - 1 : ~0ULL, row + i);
        for (int plane = 0; plane < 8 / bits; plane++) {
            const __m512i level = _mm512_shuffle_epi8(levels, _mm512_and_si512(bytes, mask));
            sum = _mm512_dpbusd_epi32(
                sum, level, _mm512_loadu_si512(packed->weights + plane * packed->stride + i));
            bytes = _mm512_srli_epi16(bytes, bits);
        }
    }
    return total_avx2(
        _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1)));
}

AVX512 static int32_t packed_avx512(PACKED_ARGUMENTS) { PACKED_BODY(packed_sum_avx512) }
#endif /* x86-64 */
