/* tests/bench/floor.c: what the kernel itself asks for a container like that of the benchmark.
 *
 *	floor ROOTFS [CGROUP [FILTER]]    CGROUP: directory to be made, or "-"; FILTER: file of sock_filter
 *
 * The same namespaces, loopback, mounts, devices, masks, read-only paths, limits, capabilities, cgroup
 * with one device program, one exec from a sealed memory file, filter, exec and wait, in the cheapest
 * calls there are. No configuration, no checks, no state, no safety, no words when something fails. Built
 * against musl, whose start costs two calls. Compiled twice: with STAGE it is what enters the container.
 *
 * Its system calls and the payload's, as `strace -f -c` counts them; tests/cli/bench-floor.bats compares:
 *   always: arch_prctl 2, capset 1, chdir 2, clone3 1, close 1, close_range 1, execve 2, execveat 1, fcntl 1
 *   always: ioctl 1, keyctl 1, memfd_create 1, mkdir 3, mknod 6, mount 32, pivot_root 1, prctl 39
 *   always: prlimit64 1, set_tid_address 2, sethostname 1, setsid 1, socket 1, symlink 5, umount2 1, wait4 1
 *   always: write 1
 *   with CGROUP: bpf 2, close 1, fcntl 1, mkdir 1, open 1, rmdir 1, unshare 1
 *   with FILTER: open 1, read 1, seccomp 1 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof *(a))

#ifdef STAGE /* ---- in the container: floor-stage ROOTFS [FILTER's descriptor] ---- */

static const struct {
	const char *type, *target, *options;
	unsigned long flags;
} mounts[] = {
	{ "proc", "proc", NULL, 0 },
	{ "tmpfs", "dev", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME },
	{ "devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "dev/shm", "mode=1777,size=65536k", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "mqueue", "dev/mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY },
	{ "cgroup2", "sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY | MS_RELATIME },
};
static const struct {
	const char *path;
	unsigned major, minor;
} devices[] = {
	{ "dev/null", 1, 3 },	{ "dev/zero", 1, 5 },	 { "dev/full", 1, 7 },
	{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
};
static const char *const links[][2] = {
	{ "/proc/self/fd", "dev/fd" },	     { "/proc/self/fd/0", "dev/stdin" },
	{ "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
	{ "pts/ptmx", "dev/ptmx" },
};
static const char *const read_only[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger" };
static const char *const masked_files[] = { "proc/interrupts", "proc/kcore",	  "proc/keys",
					    "proc/latency_stats", "proc/sched_debug", "proc/timer_list",
					    "proc/timer_stats" };
static const char *const masked_dirs[] = { "proc/acpi", "proc/asound", "proc/scsi", "sys/devices/virtual/powercap",
					   "sys/firmware" };

static void loopback(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(sock, SIOCSIFFLAGS, &lo);
	close(sock);
}

static void fill(void)
{
	const char *empty = NULL; /* the masked directory whose cover the others get */

	for (size_t i = 0; i < LENGTH(mounts); i++) {
		if (i >= 2 && i <= 4)
			mkdir(mounts[i].target, 0755);
		mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].options);
	}
	for (size_t i = 0; i < LENGTH(devices); i++)
		mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor));
	for (size_t i = 0; i < LENGTH(links); i++)
		symlink(links[i][0], links[i][1]);
	for (size_t i = 0; i < LENGTH(read_only); i++) {
		mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL);
		mount(NULL, read_only[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	}
	for (size_t i = 0; i < LENGTH(masked_files); i++)
		mount("dev/null", masked_files[i], NULL, MS_BIND, NULL);
	for (size_t i = 0; i < LENGTH(masked_dirs); i++) {
		int failed = empty ? mount(empty, masked_dirs[i], NULL, MS_BIND, NULL) :
				     mount("tmpfs", masked_dirs[i], "tmpfs", MS_RDONLY, "nr_inodes=1");
		if (!failed)
			empty = masked_dirs[i];
	}
}

static void restrict_self(int filter)
{
	static struct sock_filter code[BPF_MAXINSNS];
	uint32_t set = 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE | 1u << CAP_AUDIT_WRITE;
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { set, set, 0 }, { 0 } };
	struct rlimit files = { 1024, 1024 };

	for (unsigned long cap = 0; cap <= CAP_CHECKPOINT_RESTORE; cap++)
		if (cap >= 32 || !(set >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	setrlimit(RLIMIT_NOFILE, &files);
	syscall(SYS_capset, &header, data);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (filter < 0)
		return;
	ssize_t len = read(filter, code, sizeof code);
	struct sock_fprog program = { (unsigned short)(len / (ssize_t)sizeof *code), code };
	if (syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 0, &program))
		_exit(126);
}

int main(int argc, char **argv)
{
	char name[] = "/payload", *args[] = { name, NULL }, *env[] = { NULL };
	const char *rootfs = argv[1];

	syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, "_ses.floor", 0, 0, 0);
	setsid();
	loopback();
	sethostname("floor", 5);
	mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
	mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
	if (chdir(rootfs))
		return 1;
	fill();
	mount(NULL, ".", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	syscall(SYS_pivot_root, ".", ".");
	umount2(".", MNT_DETACH);
	chdir("/");
	restrict_self(argc > 2 ? atoi(argv[2]) : -1);
	syscall(SYS_close_range, 3, ~0u, 0);
	execve(name, args, env);
	return 127;
}

#else /* ---- outside ---- */

__asm__(".section .rodata\n"
	"stage:\t.incbin \"" STAGE_FILE "\"\n"
	"stage_end:\n"
	".previous\n");
extern const char stage[], stage_end[];

#define LOAD(to, from)        { BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, from, 0 }
#define UNLESS(reg, value, n) { BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, n, value }
#define RETURN(value)         { BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value }, { BPF_JMP | BPF_EXIT, 0, 0, 0, 0 }
#define NODE(major, minor)    UNLESS(2, BPF_DEVCG_DEV_CHAR, 4), UNLESS(4, major, 3), UNLESS(5, minor, 2), RETURN(1)

/* What every container may open; mknod(2) of anything. */
static const struct bpf_insn device_rules[] = {
	LOAD(2, offsetof(struct bpf_cgroup_dev_ctx, access_type)),
	{ BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0 },
	{ BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff },
	{ BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16 },
	LOAD(4, offsetof(struct bpf_cgroup_dev_ctx, major)),
	LOAD(5, offsetof(struct bpf_cgroup_dev_ctx, minor)),
	NODE(1, 3), NODE(1, 5), NODE(1, 7), NODE(1, 8), NODE(1, 9), NODE(5, 0), NODE(5, 1), NODE(5, 2),
	UNLESS(2, BPF_DEVCG_DEV_CHAR, 3), UNLESS(4, 136, 2), RETURN(1),
	UNLESS(3, BPF_DEVCG_ACC_MKNOD, 2), RETURN(1),
	RETURN(0),
};

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int make_cgroup(const char *path)
{
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.expected_attach_type = BPF_CGROUP_DEVICE,
		.insns = (uintptr_t)device_rules,
		.insn_cnt = LENGTH(device_rules),
		.license = (uintptr_t)"GPL",
	};
	int cgroup = mkdir(path, 0755) ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int program = bpf(BPF_PROG_LOAD, &load);
	union bpf_attr attach = {
		.target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	if (program < 0 || bpf(BPF_PROG_ATTACH, &attach))
		return -1;
	close(program);
	return cgroup;
}

static int sealed_stage(void)
{
	int fd = memfd_create("floor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	write(fd, stage, (size_t)(stage_end - stage));
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

int main(int argc, char **argv)
{
	int has_cgroup = argc > 2 && strcmp(argv[2], "-") != 0;
	int cgroup = has_cgroup ? make_cgroup(argv[2]) : 0, status = 0;
	int filter = argc > 3 ? open(argv[3], O_RDONLY) : -1;
	char name[] = "floor", number[16], *args[] = { name, argv[1], filter < 0 ? NULL : number, NULL };
	char *env[] = { NULL };

	if (argc < 2 || cgroup < 0)
		return perror("floor"), 2;
	snprintf(number, sizeof number, "%d", filter);
	int image = sealed_stage();
	struct clone_args clone = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			 (has_cgroup ? CLONE_INTO_CGROUP : 0),
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup,
	};
	long pid = syscall(SYS_clone3, &clone, sizeof clone);
	if (pid == 0) {
		/* Only now: the namespace's root is the cgroup that was just entered. */
		if (has_cgroup)
			syscall(SYS_unshare, CLONE_NEWCGROUP);
		syscall(SYS_execveat, image, "", args, env, AT_EMPTY_PATH);
		_exit(127);
	}
	if (pid < 0)
		return perror("floor: clone3"), 1;
	waitpid((pid_t)pid, &status, 0);
	if (has_cgroup)
		while (rmdir(argv[2]) && errno == EBUSY)
			;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
#endif
