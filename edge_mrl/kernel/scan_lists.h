/* ---- 9. Sums of lists ---------------------------------------------------------------------- */

/* What one word adds to the score of each row that has it. */
struct list {
    uint64_t rows;   /* the lower 16 bits of each row, rising within a span of 65 536 rows */
    uint64_t scores; /* as many float32, above 0 */
    uint64_t starts; /* spans + 1 int64: where the rows of each span begin, and where they end */
    int64_t spans;
    int64_t next; /* the first that was not added yet; 0 before */
};

/* Rows added up at a time, a part of a span: their sums stay in the first-level cache of a small
 * board. */
#define SUMMED 2048
/* Sums looked at together; most of the time none of them is among the best. */
#define LOOKED_AT 8

/* Doubles above 0 are in the order of their bits, so the keeper takes those for scores. */
union sum {
    double value;
    int64_t bits;
};

/* Add up, list after list, what falls on the rows first .. first + SUMMED - 1. Returns whether
 * anything did. */
static int add_lists(struct list *lists, int64_t count, int64_t first, union sum *sums,
                     int32_t *held) {
    const int64_t span = first >> 16;
    const int low = (int)(first & 0xffff);
    int any = 0;
    for (int64_t row = 0; row < SUMMED; row++)
        sums[row].value = 0.0;
    for (int64_t row = 0; held && row < SUMMED; row++)
        held[row] = 0;
    for (struct list *list = lists; list < lists + count; list++) {
        if (span >= list->spans)
            continue;
        const uint16_t *rows = (const uint16_t *)(uintptr_t)list->rows;
        const float *scores = (const float *)(uintptr_t)list->scores;
        const int64_t end = ((const int64_t *)(uintptr_t)list->starts)[span + 1];
        int64_t i = list->next;
        for (; i < end && rows[i] < low + SUMMED; i++) {
            sums[rows[i] - low].value += (double)scores[i];
            if (held)
                held[rows[i] - low]++;
        }
        any |= i > list->next;
        list->next = i;
    }
    return any;
}

/* `score_lists.best_rows`: the best `keep` of the rows that any list holds, or `every` list, by the
 * sum of their scores.
 *
 * rows: one more than the largest row. allowed: rows x {0, 1}, or NULL where every row may be found.
 * work: 4 x capacity int64, capacity >= keep + 64. The result stands at its start: sums (double) by
 * falling sum, and from work + capacity on their rows. Returns how many. */
EXPORT int64_t emk_best_rows(struct list *lists, int64_t count, int64_t rows,
                             const uint8_t *allowed, int every, int64_t keep, int64_t capacity,
                             int64_t *work) {
    union sum sums[SUMMED], least;
    int32_t held[SUMMED];
    struct keeper keeper;
    keeper_place(&keeper, work, capacity);
    keeper_start(&keeper, keep, 0);
    for (int64_t first = 0; first < rows; first += SUMMED) {
        if (!add_lists(lists, count, first, sums, every ? held : 0))
            continue;
        for (int64_t start = 0; start < SUMMED; start += LOOKED_AT) {
            least.bits = keeper.threshold;
            int over = 0;
            for (int64_t row = start; row < start + LOOKED_AT; row++)
                over |= sums[row].value > least.value;
            if (!over)
                continue;
            if (keeper.count + LOOKED_AT > capacity)
                keeper_prune(&keeper);
            for (int64_t row = start; row < start + LOOKED_AT; row++)
                if (sums[row].bits > keeper.threshold && (!allowed || allowed[first + row]) &&
                    (!every || held[row] == count)) {
                    keeper.scores[keeper.count] = sums[row].bits;
                    keeper.positions[keeper.count++] = first + row;
                }
        }
    }
    keeper_prune(&keeper);
    keeper_sort(&keeper);
    return keeper.count;
}
