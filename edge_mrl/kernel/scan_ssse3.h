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
