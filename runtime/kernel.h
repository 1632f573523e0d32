/* runtime/kernel.h: system calls that Debian 12's libc headers do not declare, as thin inline functions.
 * Shared by stube-runtime (glibc) and stube-init (musl), so nothing here needs a libc's wrapper.
 * Ref: mount_setattr(2), open_tree(2), fsopen(2), pivot_root(2), clone3 in clone(2). */
#pragma once
/* Never beside <sys/mount.h>: Debian 12's two headers contradict each other. */
#include <errno.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/defence.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

static inline int k_open_tree(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

/* Move the tree `from_fd` onto what `to_fd` refers to. */
static inline int k_move_mount(int from_fd, int to_fd)
{
	return (int)syscall(SYS_move_mount, from_fd, "", to_fd, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int k_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

/* The file system that is mounted at `fd`, to change its options. */
static inline int k_fspick(int fd)
{
	return (int)syscall(SYS_fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
}

static inline int k_fsconfig(int fd, unsigned command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, 0);
}

static inline int k_fsmount(int fd, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}

static inline int k_mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, fd, path, flags, attr, sizeof *attr);
}

static inline int k_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline pid_t k_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof *args);
}

/* clone3(2) with CLONE_VM: the child calls `run`, which never returns, on the stack of `args`. No call of
 * a library, because the child would overwrite its return address. -1 and errno; ENOSYS where there is no
 * assembler for it. */
static inline pid_t k_clone3_run(struct clone_args *args, void (*run)(void *), void *data)
{
	long rc = -38; /* ENOSYS */
#if defined(__x86_64__)
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %[data], %%rdi\n\t"
			 "call *%[run]\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(rc)
			 : "0"((long)SYS_clone3), "D"(args),
			   "S"(sizeof *args), [run] "r"(run), [data] "r"(data)
			 : "rcx", "r11", "memory", "cc");
#elif defined(__aarch64__)
	register long number __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof *args;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, %[data]\n\t"
			 "blr %[run]\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(number), "r"(x1), [run] "r"(run), [data] "r"(data)
			 : "memory", "cc");
	rc = x0;
#else
	(void)args;
	(void)run;
	(void)data;
#endif
	if (rc >= 0)
		return (pid_t)rc;
	errno = (int)-rc;
	return -1;
}

static inline int k_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int k_close_range(unsigned from, unsigned to, unsigned flags)
{
	return DEFENCE("close-range") ? (int)syscall(SYS_close_range, from, to, flags) : 0;
}

/* The default action for any signal. The C library's call refuses the two or three that its threads use,
 * which posix_spawn(3) of glibc leaves ignored in every child. */
static inline int k_signal_default(int signal_number)
{
	const struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} action = { 0 };

	return (int)syscall(SYS_rt_sigaction, signal_number, &action, NULL, sizeof action.mask);
}

static inline int k_execveat(int fd, char *const *argv, char *const *env)
{
	return (int)syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
}
