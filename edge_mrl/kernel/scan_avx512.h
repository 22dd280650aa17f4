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
