/* tests/bench/floor.c: what the kernel itself asks for a container like the default one: five
 * namespaces, the usual mounts, devices, masks, pivot_root, limits, capabilities, a cgroup, exec. No
 * checks, no JSON, no safety: the figure that a runtime is held against. Usage: floor ROOTFS [CGROUP] */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *type, *target, *options;
	unsigned long flags;
} mounts[] = {
	{ "proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "tmpfs", "dev", "mode=755,size=65536k", MS_NOSUID },
	{ "devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "dev/shm", "mode=1777,size=65536k", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "mqueue", "dev/mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY },
	{ "cgroup2", "sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY },
};
static const struct {
	const char *path;
	int major, minor;
} devices[] = {
	{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 },	{ "dev/full", 1, 7 },
	{ "dev/tty", 5, 0 },  { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 },
};
static const char *const masked_files[] = { "proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list",
					    "proc/sched_debug" };
static const char *const masked_dirs[] = { "proc/acpi", "proc/scsi", "sys/firmware" };
static const char *const readonly[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };

#define EACH(a) (sizeof(a) / sizeof *(a))

static int child(const char *rootfs)
{
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
	if (chdir(rootfs))
		return 1;
	for (size_t i = 0; i < EACH(mounts); i++) {
		mkdir(mounts[i].target, 0755);
		mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].options);
	}
	for (size_t i = 0; i < EACH(devices); i++)
		mknod(devices[i].path, S_IFCHR | 0666, makedev((unsigned)devices[i].major, (unsigned)devices[i].minor));
	symlink("/proc/self/fd", "dev/fd");
	symlink("/proc/self/fd/0", "dev/stdin");
	symlink("/proc/self/fd/1", "dev/stdout");
	symlink("/proc/self/fd/2", "dev/stderr");
	symlink("pts/ptmx", "dev/ptmx");
	for (size_t i = 0; i < EACH(masked_files); i++)
		mount("dev/null", masked_files[i], NULL, MS_BIND, NULL);
	for (size_t i = 0; i < EACH(masked_dirs); i++)
		mount("tmpfs", masked_dirs[i], "tmpfs", MS_RDONLY, NULL);
	for (size_t i = 0; i < EACH(readonly); i++) {
		mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL);
		mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	}
	syscall(SYS_pivot_root, ".", ".");
	umount2(".", MNT_DETACH);
	chdir("/");
	mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	sethostname("floor", 5);
	setsid();
	struct rlimit files = { 1024, 1024 };
	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned long cap = 0; cap < 41; cap++)
		if (cap != 5 && cap != 10 && cap != 29)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	uint32_t set = 1u << 5 | 1u << 10 | 1u << 29;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { set, set, 0 }, { 0 } };
	syscall(SYS_capset, &header, data);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_close_range, 3, ~0u, 0);
	execl("/payload", "payload", (char *)NULL);
	return 127;
}

int main(int argc, char **argv)
{
	int cgroup = -1, status;

	if (argc < 2)
		return 2;
	if (argc > 2 && (mkdir(argv[2], 0755) || (cgroup = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0))
		return perror(argv[2]), 1;
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			 (cgroup >= 0 ? CLONE_INTO_CGROUP | CLONE_NEWCGROUP : 0),
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)(cgroup >= 0 ? cgroup : 0),
	};
	long pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(child(argv[1]));
	if (pid < 0)
		return perror("clone3"), 1;
	waitpid((pid_t)pid, &status, 0);
	if (cgroup >= 0)
		while (rmdir(argv[2]) && errno == EBUSY)
			;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
