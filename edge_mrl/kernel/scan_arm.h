/* ---- 2. The vector targets of ARM ---------------------------------------------------------- */

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

/* What to compare a doubled product with: vqdmulh gives the upper half of twice the product. */
INLINE int16x8_t doubled_neon(const struct bar *bar) {
    const int32_t quick = 2 * bar->quick + 1;
    return vdupq_n_s16((int16_t)(quick < INT16_MIN   ? INT16_MIN
                                 : quick > INT16_MAX ? INT16_MAX
                                                     : quick));
}

/* Which of eight rows may exceed the bar. */
INLINE uint16x8_t quick_neon(uint16x8_t sums, const uint16_t *gains, const struct query *query,
                             const struct bar *bar) {
    const int16x8_t value =
        vaddq_s16(vreinterpretq_s16_u16(sums), vdupq_n_s16((int16_t)query->offset));
    const int16x8_t gain = vreinterpretq_s16_u16(vld1q_u16(gains));
    const int16x8_t product =
        vqdmulhq_s16(vshlq_s16(value, vdupq_n_s16((int16_t)bar->left)),
                     vshlq_s16(gain, vdupq_n_s16((int16_t)bar->gain_left)));
    return vcgtq_s16(product, doubled_neon(bar));
}

/* A bit for each of 64 rows, from eight at a time: all ones or zeros. */
INLINE uint64_t bits_neon(const uint16x8_t *found) {
    static const uint8_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x8_t place = vld1_u8(places);
    uint8x8_t rows[8];
    for (int part = 0; part < 8; part++)
        rows[part] = vand_u8(vmovn_u16(found[part]), place);
    for (int width = 4; width; width /= 2) /* neighbours add up until a byte is left of each */
        for (int part = 0; part < width; part++)
            rows[part] = vpadd_u8(rows[2 * part], rows[2 * part + 1]);
    return vget_lane_u64(vreinterpret_u64_u8(rows[0]), 0);
}

INLINE uint64_t sums_neon(SUMS_ARGUMENTS) {
    const int64_t columns = query->columns;
    uint64_t hits = 0;
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
        if (bar->narrow) {
            uint16x8_t found[8], any = vdupq_n_u16(0);
            for (int part = 0; part < 8; part++) {
                found[part] = quick_neon(sums[part], gains + 8 * part, query, bar);
                any = vorrq_u16(any, found[part]);
            }
            const uint64x2_t both = vreinterpretq_u64_u16(any);
            if (!(vgetq_lane_u64(both, 0) | vgetq_lane_u64(both, 1)))
                return 0;
            hits = bits_neon(found);
        }
        for (int part = 0; part < 16; part++) {
            const uint16x4_t four =
                part % 2 ? vget_high_u16(sums[part / 2]) : vget_low_u16(sums[part / 2]);
            const int32x4_t wide = vreinterpretq_s32_u32(vmovl_u16(four));
            int32_t *target = values + 4 * part;
            vst1q_s32(target,
                      vaddq_s32(first ? vld1q_s32(target) : vdupq_n_s32(query->offset), wide));
        }
    }
    return hits;
}

/* Add 16 products of signed bytes. */
INLINE int32x4_t add_neon(int32x4_t sum, int8x16_t a, int8x16_t b) {
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
}

INLINE void dots_neon(const struct query *query, const uint8_t *codes, int64_t rows,
                      int32_t *values) {
    const int64_t columns = query->columns, even = columns / 16 * 16;
    for (int64_t row = 0; row < rows; row++, codes += columns) {
        int32x4_t sum = vdupq_n_s32(0);
        for (int64_t i = 0; i < even; i += 16) {
            const int8x16_t a = vreinterpretq_s8_u8(vld1q_u8(codes + i));
            const int8x16_t b = vld1q_s8(query->weights + i);
            sum = add_neon(sum, a, b);
        }
        values[row] = vgetq_lane_s32(sum, 0) + vgetq_lane_s32(sum, 1) + vgetq_lane_s32(sum, 2) +
                      vgetq_lane_s32(sum, 3) + dot_scalar(query->weights, codes, even, columns);
    }
}

static void dots_neon_function(DOTS_ARGUMENTS) {
    dots_neon(query, codes, rows, values);
}

static void chunk_neon(CHUNK_ARGUMENTS) { CHUNK_BODY(sums_neon, dots_neon, hits_scalar) }

/* The levels of 16 codes; at most 126, so they are signed bytes too. */
INLINE int8x16_t levels_neon(const uint8_t *levels, uint8x16_t codes) {
#if defined(__aarch64__)
    return vreinterpretq_s8_u8(vqtbl1q_u8(vld1q_u8(levels), codes));
#else
    const uint8x8x2_t table = {{vld1_u8(levels), vld1_u8(levels + 8)}};
    return vreinterpretq_s8_u8(
        vcombine_u8(vtbl2_u8(table, vget_low_u8(codes)), vtbl2_u8(table, vget_high_u8(codes))));
#endif
}

/* One body for both ways to add up products: ADD(sum, level, weight). */
#define PACKED_SUM_NEON(ADD)                                                                      \
    const uint8x16_t mask = vdupq_n_u8((uint8_t)((1 << bits) - 1));                               \
    const int8x16_t right = vdupq_n_s8((int8_t)-bits);                                            \
    int32x4_t sum = vdupq_n_s32(0);                                                               \
    for (int64_t i = 0; i < packed->columns; i += 16) {                                           \
        const uint8_t *codes = row + i;                                                           \
        FILLED_UP(16)                                                                             \
        if (packed->columns - i < 16)                                                             \
            codes = filled;                                                                       \
        uint8x16_t bytes = vld1q_u8(codes);                                                       \
        for (int plane = 0; plane < 8 / bits; plane++) {                                          \
            const int8x16_t level = levels_neon(packed->levels, vandq_u8(bytes, mask));           \
            const int8x16_t weight = vld1q_s8(packed->weights + plane * packed->stride + i);      \
            sum = ADD(sum, level, weight);                                                        \
            bytes = vshlq_u8(bytes, right);                                                       \
        }                                                                                         \
    }                                                                                             \
    return vgetq_lane_s32(sum, 0) + vgetq_lane_s32(sum, 1) + vgetq_lane_s32(sum, 2) +             \
           vgetq_lane_s32(sum, 3);

INLINE int32_t packed_sum_neon(const struct packed *packed, const uint8_t *row, const int bits) {
    PACKED_SUM_NEON(add_neon)
}

static int32_t packed_neon(PACKED_ARGUMENTS) { PACKED_BODY(packed_sum_neon) }
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

DOTPROD INLINE int32_t packed_sum_dotprod(const struct packed *packed, const uint8_t *row,
                                          const int bits) {
    PACKED_SUM_NEON(vdotq_s32)
}

DOTPROD static int32_t packed_dotprod(PACKED_ARGUMENTS) { PACKED_BODY(packed_sum_dotprod) }
#endif /* aarch64 */
