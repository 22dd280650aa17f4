/* ---- 4. The best rows so far --------------------------------------------------------------- */

#define LOWEST INT64_MIN

/* A reservoir: rows above the threshold are appended, in rising order of position, and only when
 * it is full are the best `keep` chosen. That costs far less than a heap for a long shortlist. */
struct keeper {
    int64_t *scores, *positions;             /* capacity each */
    int64_t *spare_scores, *spare_positions; /* capacity each */
    int64_t capacity, keep, count;
    int64_t threshold; /* a row must score more */
    struct bar bar;    /* the same for a first look, on the safe side */
};

/* Below `threshold` by more than the two roundings of a float32 product and this one. */
static float limit_of(int64_t threshold) {
    if (threshold == LOWEST)
        return -__builtin_inff();
    const float near = (float)threshold;
    return near - (near < 0 ? -near : near) * 0x1p-21f - 1.0f;
}

/* Largest whole number not above threshold x 2^(left + gain_left - 16), less one, in 16 bits. */
static int32_t quick_of(int64_t threshold, const struct bar *bar) {
    const int64_t far = 1LL << 32; /* beyond every score of a narrow scan */
    const int64_t near = threshold < -far ? -far : threshold > far ? far : threshold;
    const int64_t quick = ((near * (1LL << (bar->left + bar->gain_left))) >> 16) - 1;
    return (int32_t)(quick < INT16_MIN ? INT16_MIN : quick > INT16_MAX ? INT16_MAX : quick);
}

static void keeper_threshold(struct keeper *keeper, int64_t threshold) {
    keeper->threshold = threshold;
    keeper->bar.limit = limit_of(threshold);
    keeper->bar.quick = quick_of(threshold, &keeper->bar);
}

/* work: 4 x capacity. */
static void keeper_place(struct keeper *keeper, int64_t *work, int64_t capacity) {
    keeper->scores = work;
    keeper->positions = work + capacity;
    keeper->spare_scores = work + 2 * capacity;
    keeper->spare_positions = work + 3 * capacity;
    keeper->capacity = capacity;
    keeper->bar = (struct bar){0.0f, 0, 0, 0, 0};
}

static void keeper_start(struct keeper *keeper, int64_t keep, int64_t threshold) {
    keeper->keep = keep;
    keeper->count = 0;
    keeper_threshold(keeper, threshold);
}

/* Where the best `keep` end. */
struct border {
    int64_t worst; /* the lowest score among them */
    int64_t equal; /* how many of the rows with that score belong to them */
};

/* So many are compared with each other: sooner than counting bytes. */
#define FEW 24

/* The key of which fewer than `rank` are larger, and `rank` or more no smaller. */
static struct border border_of_few(const uint64_t *keys, int64_t count, int64_t rank,
                                   int64_t base) {
    for (int64_t i = 0;; i++) {
        int64_t larger = 0, equal = 0;
        for (int64_t j = 0; j < count; j++) {
            larger += keys[j] > keys[i];
            equal += keys[j] == keys[i];
        }
        if (larger < rank && rank <= larger + equal) {
            const struct border border = {(int64_t)(keys[i] + (uint64_t)base), rank - larger};
            return border;
        }
    }
}

/* Find the border of the best `rank` of `count` scores: a byte at a time of what they are above the
 * least of them, from the highest bit of the largest on; eight times at most, whatever they are. */
static struct border border_of(const int64_t *scores, int64_t count, int64_t rank,
                               int64_t *spare) {
    uint64_t *keys = (uint64_t *)spare;
    int64_t base = scores[0], largest = scores[0];
    for (int64_t i = 1; i < count; i++) {
        base = scores[i] < base ? scores[i] : base;
        largest = scores[i] > largest ? scores[i] : largest;
    }
    for (int64_t i = 0; i < count; i++)
        keys[i] = (uint64_t)scores[i] - (uint64_t)base;
    const int top = 63 - __builtin_clzll(((uint64_t)largest - (uint64_t)base) | 1);
    for (int shift = top < 8 ? 0 : top - 7;; shift = shift < 8 ? 0 : shift - 8) {
        int32_t counts[2][256]; /* two, so that one addition need not wait for the other */
        for (int byte = 0; byte < 256; byte++)
            counts[0][byte] = counts[1][byte] = 0;
        for (int64_t i = 0; i < count; i++)
            counts[i & 1][keys[i] >> shift & 255]++;
        uint64_t chosen = 255;
        while (counts[0][chosen] + counts[1][chosen] < rank) {
            rank -= counts[0][chosen] + counts[1][chosen];
            chosen--;
        }
        int64_t left = 0;
        for (int64_t i = 0; i < count; i++) { /* no branch that could be mispredicted */
            const uint64_t key = keys[i];
            keys[left] = key;
            left += (key >> shift & 255) == chosen;
        }
        count = left;
        if (!shift)
            break;
        if (count <= FEW)
            return border_of_few(keys, count, rank, base);
    }
    const struct border border = {(int64_t)(keys[0] + (uint64_t)base), rank};
    return border;
}

/* Leave the best `keep`; of equal scores those with lower positions, which stand first. */
static void keeper_prune(struct keeper *keeper) {
    const int64_t count = keeper->count;
    if (count < keeper->keep)
        return;
    const struct border border =
        border_of(keeper->scores, count, keeper->keep, keeper->spare_scores);
    int64_t left = 0, equal = border.equal;
    for (int64_t i = 0; i < count; i++) {
        const int64_t score = keeper->scores[i], position = keeper->positions[i];
        const int64_t same = score == border.worst;
        keeper->scores[left] = score;
        keeper->positions[left] = position;
        left += (score > border.worst) | (same & (equal > 0));
        equal -= same;
    }
    keeper->count = left;
    keeper_threshold(keeper, border.worst); /* later rows lose ties */
}

/* Take those rows of one block, of those in the mask `hits`, that beat the threshold. */
static void keeper_offer(struct keeper *keeper, uint64_t hits, const int32_t *values,
                         const uint16_t *gains, const uint8_t *alive, int64_t position) {
    if (keeper->count + BLOCK > keeper->capacity)
        keeper_prune(keeper);
    const int64_t threshold = keeper->threshold;
    int64_t count = keeper->count;
    for (; hits; hits &= hits - 1) {
        const int row = __builtin_ctzll(hits);
        const int64_t score = (int64_t)values[row] * gains[row];
        keeper->scores[count] = score;
        keeper->positions[count] = position + row;
        count += (score > threshold) & (!alive || alive[row]);
    }
    keeper->count = count;
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
