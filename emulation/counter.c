/* A qemu plugin that counts the instructions of a program, and prints how many there were so far at
 * each mark: a system call, of whatever kind, whose first argument is MARK.
 *
 * Each translated block adds its length to one counter when it is entered, in one step that no other
 * thread comes between: the runtime loads in several threads. The functions below are those of
 * qemu's plugin interface, version 1 (qemu 4.2 and later); Debian ships qemu without the header that
 * declares them. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))
#define NO_REGISTERS 0
/* As in on_board/repeating.py; no file or process has this number. */
#define MARK 0x7ead5eed

struct qemu_plugin_tb;
typedef uint64_t plugin_id;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*call)(plugin_id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*call)(unsigned thread, void *), int registers,
                                          void *data);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id id,
                                          void (*call)(plugin_id, unsigned thread, int64_t number,
                                                       uint64_t, uint64_t, uint64_t, uint64_t,
                                                       uint64_t, uint64_t, uint64_t, uint64_t));

EXPORT int qemu_plugin_version = 1;

static uint64_t count;

static void entered(unsigned thread, void *length) {
    (void)thread;
    __atomic_fetch_add(&count, (uintptr_t)length, __ATOMIC_RELAXED);
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, entered, NO_REGISTERS,
                                         (void *)qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned thread, int64_t number, uint64_t first, uint64_t second,
                   uint64_t third, uint64_t fourth, uint64_t fifth, uint64_t sixth,
                   uint64_t seventh, uint64_t eighth) {
    (void)id, (void)thread, (void)number, (void)second, (void)third, (void)fourth;
    (void)fifth, (void)sixth, (void)seventh, (void)eighth;
    if (first == MARK)
        fprintf(stderr, "instructions %llu\n",
                (unsigned long long)__atomic_load_n(&count, __ATOMIC_RELAXED));
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
