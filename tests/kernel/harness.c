/* Runs scan.c on cases from a file and compares with the answers in it, for every target that the
 * CPU has. `python -m tests.kernel.cases FILE` writes the file; its layout stands there. Every
 * buffer is allocated at its exact size, so that a sanitizer sees each byte read too far. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "../../edge_mrl/kernel/scan.c"

static FILE *input;

static int64_t number(void) {
    int64_t value;
    if (fread(&value, sizeof value, 1, input) != 1) {
        fprintf(stderr, "the file of cases ends early\n");
        exit(2);
    }
    return value;
}

/* Bytes of exactly `size`, to be freed. */
static void *bytes(int64_t size) {
    void *found = malloc((size_t)size);
    if (size && (!found || fread(found, (size_t)size, 1, input) != 1)) {
        fprintf(stderr, "the file of cases ends early\n");
        exit(2);
    }
    return found;
}

static int failures;

static void expect(int fine, int target, int64_t test, const char *what) {
    if (!fine) {
        printf("target %d, case %lld: %s differs\n", target, (long long)test, what);
        failures++;
    }
}

static struct block *read_blocks(int64_t *count) {
    *count = number();
    struct block *blocks = malloc((size_t)*count * sizeof *blocks);
    for (int64_t b = 0; b < *count; b++) {
        blocks[b].rows = number();
        const int64_t size = number();
        blocks[b].codes = (uintptr_t)bytes(size);
        uint16_t *gains = bytes(2 * blocks[b].rows);
        blocks[b].gains = (uintptr_t)gains;
        blocks[b].alive = number() ? (uintptr_t)bytes(blocks[b].rows) : 0;
        blocks[b].largest = 0;
        for (int64_t row = 0; row < blocks[b].rows; row++)
            if (gains[row] > blocks[b].largest)
                blocks[b].largest = gains[row];
    }
    return blocks;
}

static void free_blocks(struct block *blocks, int64_t count) {
    for (int64_t b = 0; b < count; b++) {
        free((void *)(uintptr_t)blocks[b].codes);
        free((void *)(uintptr_t)blocks[b].gains);
        free((void *)(uintptr_t)blocks[b].alive);
    }
    free(blocks);
}

/* A second look at every row of an int8 block gives falling scores that are the rows'. */
static void rescore_all(int target, int64_t test, const void *weights, int64_t columns,
                        const struct block *block, int64_t keep, const int64_t *all) {
    const int64_t count = block->rows, kept = keep < count ? keep : count, capacity = kept + 64;
    int64_t *positions = malloc((size_t)count * sizeof *positions);
    int64_t *work = malloc(4 * (size_t)capacity * sizeof *work);
    for (int64_t i = 0; i < count; i++)
        positions[i] = i;
    const int64_t got = emk_rescore(target, 8, weights, columns, 0, 0, block, positions, count,
                                    kept, capacity, work);
    int fine = got == kept;
    for (int64_t i = 0; fine && i < got; i++)
        fine = work[i] == all[work[capacity + i]] && (i == 0 || work[i - 1] >= work[i]);
    expect(fine, target, test, "a rescored row");
    free(positions), free(work);
}

static void scan_case(unsigned targets, int64_t test) {
    const int64_t is_table = number(), columns = number(), offset = number();
    void *integers = bytes(is_table ? 32 * columns : columns);
    int64_t count;
    struct block *blocks = read_blocks(&count);
    const int64_t keep = number(), found = number();
    int64_t *positions = bytes(8 * found), *scores = bytes(8 * found);
    for (int target = 0; target < TARGETS; target++) {
        if (!(targets >> target & 1))
            continue;
        /* The smallest reservoir allowed, so that it is pruned often. */
        const int64_t capacity = keep + 64;
        int64_t *work = malloc(4 * (size_t)capacity * sizeof *work);
        const int64_t got = emk_scan(target, (int)is_table, integers, columns, (int32_t)offset,
                                     blocks, count, keep, capacity, work);
        expect(got == found, target, test, "the number of candidates");
        if (got == found) {
            expect(!memcmp(work, scores, 8 * (size_t)found), target, test, "a score");
            expect(!memcmp(work + capacity, positions, 8 * (size_t)found), target, test,
                   "a position");
        }
        free(work);
        for (int64_t b = 0; b < count; b++) {
            int64_t *all = malloc((size_t)blocks[b].rows * sizeof *all);
            emk_scores(target, (int)is_table, integers, columns, (int32_t)offset, &blocks[b], all);
            if (!is_table && blocks[b].rows)
                rescore_all(target, test, integers, columns, &blocks[b], keep, all);
            free(all);
        }
    }
    free_blocks(blocks, count);
    free(integers), free(positions), free(scores);
}

static void query_case(int64_t test) {
    const int64_t bits = number(), dim = number();
    float *query = bytes(4 * dim), *levels = bytes(4 << (bits == 8 ? 0 : bits));
    const int64_t size = number(), offset = number();
    uint8_t *expected = bytes(size), *got = malloc((size_t)size);
    double *wanted = bytes(8), factor;
    if (bits == 8)
        emk_weights(query, dim, (int8_t *)got, &factor);
    else
        expect(emk_table(query, dim, (int)bits, levels, size / 16, got, &factor) == offset, 0, test,
               "an offset");
    expect(!memcmp(got, expected, (size_t)size), 0, test, "a query's integers");
    expect(factor == *wanted, 0, test, "a factor");
    free(query), free(levels), free(expected), free(got), free(wanted);
}

static void turn_case(int64_t test) {
    const int64_t size = number();
    float *values = bytes(4 * size), *signs = bytes(4 * size), *factor = bytes(4);
    float *expected = bytes(4 * size);
    emk_turn(values, signs, size, *factor);
    expect(!memcmp(values, expected, 4 * (size_t)size), 0, test, "a rotation");
    free(values), free(signs), free(factor), free(expected);
}

static struct turn *read_turns(int64_t *count) {
    *count = number();
    struct turn *turns = malloc((size_t)*count * sizeof *turns);
    for (int64_t t = 0; t < *count; t++) {
        turns[t].start = number(), turns[t].size = number();
        double *factor = bytes(8);
        turns[t].factor = *factor;
        free(factor);
        turns[t].signs = (uintptr_t)bytes(4 * turns[t].size);
    }
    return turns;
}

static void free_turns(struct turn *turns, int64_t count) {
    for (int64_t t = 0; t < count; t++)
        free((void *)(uintptr_t)turns[t].signs);
    free(turns);
}

static void codes_case(int64_t test) {
    const int64_t rows = number(), width = number(), dim = number(), bits = number();
    int8_t *vectors = bytes(rows * width);
    double *lengths = bytes(8 * rows);
    float *thresholds = bytes(4 * ((1 << bits) - 1)), *levels = bytes(4 << bits), *root = bytes(4);
    int64_t count;
    struct turn *turns = read_turns(&count);
    const int64_t size = number();
    uint8_t *expected = bytes(size), *codes = calloc(1, (size_t)size);
    float *expected_scales = bytes(4 * rows), *scales = malloc((size_t)(4 * rows));
    float *scratch = malloc((size_t)(4 * dim));
    emk_pack(vectors, rows, width, lengths, dim, (int)bits, turns, count, thresholds, levels, *root,
             codes, scales, scratch);
    expect(!memcmp(codes, expected, (size_t)size), 0, test, "a code");
    expect(!memcmp(scales, expected_scales, (size_t)(4 * rows)), 0, test, "a scale");
    free_turns(turns, count);
    free(vectors), free(lengths), free(thresholds), free(levels), free(root);
    free(expected), free(codes), free(expected_scales), free(scales), free(scratch);
}

static void search_case(unsigned targets, int64_t test) {
    enum { MOST = 8 };
    struct stage stages[MOST];
    int64_t keeps[MOST], capacity = 0;
    const int64_t width = number();
    float *query = bytes(4 * width);
    const int64_t count = number();
    for (int64_t s = 0; s < count; s++) {
        struct stage *stage = &stages[s];
        stage->dim = number(), stage->bits = number(), stage->columns = number();
        stage->turns = (uintptr_t)read_turns(&stage->turn_count);
        stage->levels = (uintptr_t)bytes(number());
        const struct block *blocks = read_blocks(&stage->count);
        stage->blocks = (uintptr_t)blocks, stage->rows = 0;
        for (int64_t b = 0; b < stage->count; b++)
            stage->rows += blocks[b].rows;
        keeps[s] = number();
        capacity = keeps[s] + 64 > capacity ? keeps[s] + 64 : capacity;
    }
    const int64_t room = number(), found = number();
    int64_t *positions = bytes(8 * found), *scores = bytes(8 * found);
    double *wanted = bytes(8), factor;
    for (int target = 0; target < TARGETS; target++) {
        if (!(targets >> target & 1))
            continue;
        int64_t *work = malloc(5 * (size_t)capacity * sizeof *work);
        uint8_t *scratch = malloc((size_t)room);
        const int64_t got =
            emk_search(target, query, stages, count, keeps, capacity, work, scratch, &factor);
        expect(factor == *wanted, target, test, "a search's factor");
        expect(got == found, target, test, "the number found by a search");
        if (got == found) {
            expect(!memcmp(work, scores, 8 * (size_t)found), target, test, "a search's score");
            expect(!memcmp(work + capacity, positions, 8 * (size_t)found), target, test,
                   "a search's position");
        }
        int32_t next = 0;
        const int64_t shared =
            emk_scan_share(target, query, stages, keeps[0], capacity, work, scratch, &next);
        expect(count > 1 || shared == found, target, test, "the number found by a share");
        free(work), free(scratch);
    }
    for (int64_t s = 0; s < count; s++) {
        free_turns((struct turn *)(uintptr_t)stages[s].turns, stages[s].turn_count);
        free((void *)(uintptr_t)stages[s].levels);
        free_blocks((struct block *)(uintptr_t)stages[s].blocks, stages[s].count);
    }
    free(query), free(positions), free(scores), free(wanted);
}

static void lists_case(int64_t test) {
    enum { MOST = 8 };
    struct list lists[MOST];
    const int64_t count = number();
    for (int64_t l = 0; l < count; l++) {
        const int64_t size = number();
        lists[l].rows = (uintptr_t)bytes(2 * size);
        lists[l].scores = (uintptr_t)bytes(4 * size);
        lists[l].spans = number();
        lists[l].starts = (uintptr_t)bytes(8 * (lists[l].spans + 1));
        lists[l].next = 0;
    }
    const int64_t rows = number();
    uint8_t *allowed = number() ? bytes(rows) : 0;
    const int64_t every = number(), keep = number(), found = number(), capacity = keep + 64;
    int64_t *sums = bytes(8 * found), *positions = bytes(8 * found);
    int64_t *work = malloc(4 * (size_t)capacity * sizeof *work);
    const int64_t got =
        emk_best_rows(lists, count, rows, allowed, (int)every, keep, capacity, work);
    expect(got == found, 0, test, "the number of summed rows");
    if (got == found) {
        expect(!memcmp(work, sums, 8 * (size_t)found), 0, test, "a sum");
        expect(!memcmp(work + capacity, positions, 8 * (size_t)found), 0, test, "a summed row");
    }
    for (int64_t l = 0; l < count; l++) {
        free((void *)(uintptr_t)lists[l].rows);
        free((void *)(uintptr_t)lists[l].scores);
        free((void *)(uintptr_t)lists[l].starts);
    }
    free(allowed), free(sums), free(positions), free(work);
}

static void checked_case(int64_t test) {
    const int64_t dim = number(), count = number(), sound = number();
    int64_t *rows = bytes(8 * count);
    uint8_t *records = bytes(count * (dim + 4));
    float *query = bytes(4 * dim);
    uint32_t *tables = bytes(8 * 256 * 4);
    double *products = bytes(8 * sound), *squares = bytes(8 * sound);
    double *got = malloc(16 * (size_t)count);
    int16_t *halves = malloc(4 * (size_t)dim);
    expect(emk_row_products(records, dim + 4, rows, count, query, tables, halves, got,
                            got + count) == sound, 0, test, "the number of sound rows");
    expect(!memcmp(got, products, 8 * (size_t)sound), 0, test, "a row's product");
    expect(!memcmp(got + count, squares, 8 * (size_t)sound), 0, test, "a row's square");
    free(rows), free(records), free(query), free(tables), free(products), free(squares);
    free(got), free(halves);
}

static void picked_case(int64_t test) {
    const int64_t rows = number(), dim = number(), count = number(), fits = number();
    int8_t *table = bytes(rows * dim);
    int64_t *places = bytes(8 * count);
    float *query = bytes(4 * dim);
    double *products = bytes(fits ? 8 * count : 0), *got = malloc(8 * (size_t)count);
    int16_t *halves = malloc(4 * (size_t)dim);
    expect(emk_picked_products(table, rows, dim, places, count, query, halves, got) == fits, 0, test,
           "whether the places are in the table");
    if (fits)
        expect(!memcmp(got, products, 8 * (size_t)count), 0, test, "a picked row's product");
    free(table), free(places), free(query), free(products), free(got), free(halves);
}

/* The planes are the end of the room for the codes, as where segments are read. */
static void planes_case(int64_t test) {
    const int64_t rows = number(), columns = number(), bits = number(), code_bytes = number();
    const int64_t width = (bits - 1) * columns;
    const int64_t room = rows * (code_bytes > width ? code_bytes : width);
    uint8_t *planes = bytes(rows * width), *scan = bytes((rows + 63) / 64 * columns * 64);
    uint8_t *expected = bytes(rows * code_bytes);
    uint8_t *got = malloc((size_t)room), *row = malloc((size_t)(bits * columns));
    uint8_t *end = got + (room - rows * width);
    memcpy(end, planes, (size_t)(rows * width));
    emk_join_planes(end, scan, rows, columns, (int)bits, got, code_bytes, row);
    expect(!memcmp(got, expected, (size_t)(rows * code_bytes)), 0, test, "a code of planes");
    free(planes), free(scan), free(expected), free(got), free(row);
}

int main(int argc, char **argv) {
    if (argc != 2 || !(input = fopen(argv[1], "rb"))) {
        fprintf(stderr, "usage: harness FILE\n");
        return 2;
    }
    const unsigned targets = emk_targets(getauxval(AT_HWCAP));
    const int64_t count = number();
    for (int64_t test = 0; test < count; test++) {
        const int64_t kind = number();
        if (kind == 0)
            scan_case(targets, test);
        else if (kind == 1)
            query_case(test);
        else if (kind == 2)
            turn_case(test);
        else if (kind == 3)
            search_case(targets, test);
        else if (kind == 4)
            codes_case(test);
        else if (kind == 5)
            lists_case(test);
        else if (kind == 6)
            checked_case(test);
        else if (kind == 7)
            planes_case(test);
        else
            picked_case(test);
    }
    fclose(input);
    printf("%lld cases, targets %#x: %s\n", (long long)count, targets,
           failures ? "DIFFERENT" : "all alike");
    return failures != 0;
}
