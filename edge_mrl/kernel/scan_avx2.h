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
