/* tests/unit/runtime/seccomp_test.c: compiled filters, run call by call; their cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "oci/config.h"
#include "oci/seccomp-default.h"
#include "runtime/seccomp.h"

#define X32 0x40000000u
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

static struct arena *arena;

static int make_arena(void **state)
{
	(void)state;
	return arena_new(64 << 20, &arena) != NULL;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* ---- a small machine for classic BPF ---- */

static uint32_t word_at(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	assert_true(offset <= sizeof *data - sizeof word && offset % 4 == 0);
	memcpy(&word, (const char *)data + offset, sizeof word);
	return word;
}

static bool holds(uint16_t op, uint32_t a, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	}
	fail_msg("unknown jump 0x%x", op);
	return false;
}

static uint32_t machine(const struct seccomp_program *p, const struct seccomp_data *data)
{
	const struct sock_filter *insns = p->bytes;
	size_t count = p->len / sizeof *insns;
	uint32_t a = 0;

	for (size_t pc = 0; pc < count; pc++) {
		const struct sock_filter *i = &insns[pc];
		if (i->code == (BPF_LD | BPF_W | BPF_ABS))
			a = word_at(data, i->k);
		else if (i->code == (BPF_RET | BPF_K))
			return i->k;
		else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= i->k;
		else if (i->code == (BPF_JMP | BPF_JA))
			pc += i->k;
		else if (BPF_CLASS(i->code) == BPF_JMP && BPF_SRC(i->code) == BPF_K)
			pc += holds(BPF_OP(i->code), a, i->k) ? i->jt : i->jf;
		else
			fail_msg("unknown instruction 0x%x", i->code);
	}
	fail_msg("the filter has no end");
	return 0;
}

static uint32_t call_args(const struct seccomp_program *p, uint32_t arch, uint32_t nr, uint64_t arg0,
			  uint64_t arg1)
{
	struct seccomp_data data = { .nr = (int)nr, .arch = arch, .args = { arg0, arg1 } };

	return machine(p, &data);
}

static uint32_t call(const struct seccomp_program *p, uint32_t nr)
{
	return call_args(p, AUDIT_ARCH_X86_64, nr, 0, 0);
}

/* ---- profiles from JSON, as engines write them ---- */

static const struct oci_seccomp *profile(const char *text)
{
	static const char frame[] = "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
				    "\"linux\":{\"seccomp\":%s}}";
	auto_str struct str config_text = STR_INIT(1 << 20);
	auto_str struct str why = STR_INIT(4096);
	const struct oci_config *config = NULL;

	str_addf(&config_text, frame, text);
	err *e = oci_config_decode(arena, "config.json", config_text.data, config_text.len, NULL, &config);
	if (e) {
		err_format(e, &why);
		fail_msg("%s", why.data);
	}
	return config->linux.seccomp;
}

static struct seccomp_program compile(const char *text)
{
	auto_str struct str why = STR_INIT(4096);
	struct seccomp_program p = { 0 };
	err *e = seccomp_compile(arena, profile(text), NULL, &p);

	if (e) {
		err_format(e, &why);
		fail_msg("%s", why.data);
	}
	return p;
}

#define ALL_ARCHS "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]"

static void test_each_action_is_what_the_kernel_calls_it(void **state)
{
	(void)state;
	static const struct { const char *action; uint32_t expected; } rows[] = {
		{ "\"SCMP_ACT_KILL\"", SECCOMP_RET_KILL_THREAD },
		{ "\"SCMP_ACT_KILL_THREAD\"", SECCOMP_RET_KILL_THREAD },
		{ "\"SCMP_ACT_KILL_PROCESS\"", SECCOMP_RET_KILL_PROCESS },
		{ "\"SCMP_ACT_TRAP\"", SECCOMP_RET_TRAP },
		{ "\"SCMP_ACT_ERRNO\"", ERRNO(EPERM) },
		{ "\"SCMP_ACT_ERRNO\",\"errnoRet\":0", ERRNO(0) },
		{ "\"SCMP_ACT_ERRNO\",\"errnoRet\":99", ERRNO(99) },
		{ "\"SCMP_ACT_TRACE\",\"errnoRet\":7", SECCOMP_RET_TRACE | 7 },
		{ "\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG },
		{ "\"SCMP_ACT_NOTIFY\"", SECCOMP_RET_USER_NOTIF },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = arena_printf(arena, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/s\","
					  "\"syscalls\":[{\"names\":[\"getcwd\"],\"action\":%s}]}",
					  rows[i].action);
		struct seccomp_program p = compile(text);
		if (call(&p, SYS_getcwd) != rows[i].expected)
			fail_msg("%s gives 0x%x", rows[i].action, call(&p, SYS_getcwd));
		assert_int_equal(call(&p, SYS_getpid), SECCOMP_RET_ALLOW);
		assert_int_equal(p.notify, rows[i].expected == SECCOMP_RET_USER_NOTIF);
	}
}

static void test_the_default_action_has_its_own_errno(void **state)
{
	(void)state;
	struct seccomp_program p = compile(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
		"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		/* equal to the default: needs no rule and must not disturb */
		"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
		"{\"names\":[\"umount2\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1}]}");

	assert_int_equal(call(&p, SYS_read), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, SYS_mount), ERRNO(ENOSYS));
	assert_int_equal(call(&p, SYS_umount2), ERRNO(EPERM));
	assert_int_equal(call(&p, SYS_getcwd), ERRNO(ENOSYS));
}

static void test_arguments_are_compared_as_the_operator_says(void **state)
{
	(void)state;
	static const struct { const char *args; uint64_t arg; bool matches; } rows[] = {
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"}", 5, true },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"}", 6, false },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_NE\"}", 6, true },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_NE\"}", 5, false },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_LT\"}", 4, true },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_LT\"}", 5, false },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_LE\"}", 5, true },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_LE\"}", 6, false },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_GE\"}", 5, true },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_GE\"}", 4, false },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_GT\"}", 6, true },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_GT\"}", 5, false },
		{ "{\"index\":0,\"value\":240,\"valueTwo\":16,\"op\":\"SCMP_CMP_MASKED_EQ\"}", 0x1f, true },
		{ "{\"index\":0,\"value\":240,\"valueTwo\":16,\"op\":\"SCMP_CMP_MASKED_EQ\"}", 0x2f, false },
		/* the upper half counts, too */
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"}", 0x100000005, false },
		/* one argument compared twice: either is enough */
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":9,\"op\":\"SCMP_CMP_EQ\"}",
		  9, true },
		/* two arguments: both must hold; the second is 0 here */
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"},{\"index\":1,\"value\":9,\"op\":\"SCMP_CMP_EQ\"}",
		  5, false },
		{ "{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_EQ\"},{\"index\":1,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}",
		  5, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = arena_printf(arena, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":"
					  "[\"socket\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[%s]}]}",
					  rows[i].args);
		struct seccomp_program p = compile(text);
		uint32_t got = call_args(&p, AUDIT_ARCH_X86_64, SYS_socket, rows[i].arg, 0);
		if (got != (rows[i].matches ? ERRNO(EPERM) : SECCOMP_RET_ALLOW))
			fail_msg("%s with %d gives 0x%x", rows[i].args, (int)rows[i].arg, got);
	}
}

/* Numbers of getcwd on the other two architectures of this machine. */
enum { GETCWD_X86 = 183, GETPID_X86 = 20 };

static void test_x86_and_x32_are_filtered_and_not_forgotten(void **state)
{
	(void)state;
	struct seccomp_program p = compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\"," ALL_ARCHS ",\"syscalls\":"
					   "[{\"names\":[\"getcwd\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");

	assert_int_equal(call(&p, SYS_getcwd), ERRNO(EPERM));
	assert_int_equal(call(&p, X32 | SYS_getcwd), ERRNO(EPERM));
	assert_int_equal(call_args(&p, AUDIT_ARCH_I386, GETCWD_X86, 0, 0), ERRNO(EPERM));
	assert_int_equal(call_args(&p, AUDIT_ARCH_I386, GETPID_X86, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, X32 | SYS_getpid), SECCOMP_RET_ALLOW);
}

static void test_an_architecture_that_is_not_listed_is_killed(void **state)
{
	(void)state;
	/* aarch64 is listed, but no program of it can run here: then it costs no instruction. */
	static const char *const texts[] = {
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\","
		"\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_AARCH64\"]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct seccomp_program p = compile(texts[i]);
		assert_int_equal(call(&p, SYS_getpid), SECCOMP_RET_ALLOW);
		assert_int_equal(call_args(&p, AUDIT_ARCH_I386, GETPID_X86, 0, 0), SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(call(&p, X32 | SYS_getpid), SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(call_args(&p, AUDIT_ARCH_AARCH64, 172, 0, 0), SECCOMP_RET_KILL_PROCESS);
	}
}

static void test_calls_newer_than_the_profile_are_missing_not_forbidden(void **state)
{
	(void)state;
	/* copy_file_range is 326 on x86_64 and 377 on x86. */
	struct seccomp_program p = compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\"," ALL_ARCHS ",\"syscalls\":"
					   "[{\"names\":[\"copy_file_range\"],\"action\":\"SCMP_ACT_ALLOW\"}]}");

	assert_int_equal(call(&p, 326), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, 325), ERRNO(EPERM));
	assert_int_equal(call(&p, 327), ERRNO(ENOSYS));
	assert_int_equal(call(&p, 9999), ERRNO(ENOSYS));
	assert_int_equal(call(&p, X32 | 326), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, X32 | 325), ERRNO(EPERM));
	assert_int_equal(call(&p, X32 | 327), ERRNO(ENOSYS));
	assert_int_equal(call_args(&p, AUDIT_ARCH_I386, 377, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call_args(&p, AUDIT_ARCH_I386, 376, 0, 0), ERRNO(EPERM));
	assert_int_equal(call_args(&p, AUDIT_ARCH_I386, 378, 0, 0), ERRNO(ENOSYS));
	/* -1: a tracer skips a call; that is no new call */
	assert_int_equal(call(&p, 0xffffffff), ERRNO(EPERM));
}

static void test_a_permissive_profile_or_one_of_enosys_gets_no_such_prefix(void **state)
{
	(void)state;
	static const struct { const char *head; uint32_t expected; } rows[] = {
		{ "\"SCMP_ACT_ALLOW\"", SECCOMP_RET_ALLOW },
		{ "\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG },
		{ "\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38", ERRNO(ENOSYS) },
		{ "\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13", ERRNO(ENOSYS) },
		{ "\"SCMP_ACT_KILL_PROCESS\"", ERRNO(ENOSYS) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = arena_printf(arena, "{\"defaultAction\":%s,\"syscalls\":[{\"names\":[\"getcwd\"],"
					  "\"action\":\"SCMP_ACT_TRAP\"}]}", rows[i].head);
		struct seccomp_program p = compile(text);
		if (call(&p, 9999) != rows[i].expected)
			fail_msg("%s gives 0x%x", rows[i].head, call(&p, 9999));
	}
}

static void test_unknown_names_are_passed_over_with_a_warning(void **state)
{
	(void)state;
	auto_strv struct strv warnings = STRV_INIT(16);
	struct seccomp_program p;

	assert_null(seccomp_compile(arena, profile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":"
						   "[\"no_such_call\",\"getcwd\"],\"action\":\"SCMP_ACT_TRAP\"}]}"),
				    &warnings, &p));
	assert_int_equal(call(&p, SYS_getcwd), SECCOMP_RET_TRAP);
	assert_int_equal(warnings.count, 1);
	assert_string_equal(warnings.items[0], "linux.seccomp: unknown system call 'no_such_call', ignored");
}

static void test_flags_are_those_of_the_profile_and_of_a_listener(void **state)
{
	(void)state;
	static const char plain[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\","
				    "\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"]}";
	static const char listener[] =
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_TSYNC\"],"
		"\"listenerPath\":\"/s\",\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}";
	struct seccomp_program p = compile(plain);

	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_false(p.notify);
	p = compile(listener);
	assert_true(p.notify);
	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER |
				  SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
}

static void test_filter_blocks_that_the_kernel_would_not_take_are_refused(void **state)
{
	(void)state;
	static const struct sock_filter one = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	static const size_t bad[] = { 0, 1, 7, 9, 8 * (BPF_MAXINSNS + 1) };

	assert_null(seccomp_check_bytes(&one, sizeof one));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_err err *e = seccomp_check_bytes(&one, bad[i]);
		if (!e)
			fail_msg("%zu bytes were accepted", bad[i]);
	}
	auto_err err *e = seccomp_check_bytes(NULL, 8);
	assert_non_null(e);
}

/* ---- the default profile ---- */

static struct seccomp_program default_profile(uint64_t capabilities)
{
	const struct oci_seccomp *s;
	struct seccomp_program p;

	assert_null(oci_seccomp_default(arena, capabilities, &s));
	assert_null(seccomp_compile(arena, s, NULL, &p));
	return p;
}

static uint32_t call_default(const struct seccomp_program *p, uint32_t nr, uint64_t arg)
{
	return call_args(p, AUDIT_ARCH_X86_64, nr, arg, 0);
}

static void test_the_default_profile_refuses_what_services_do_not_need(void **state)
{
	(void)state;
	static const struct { uint32_t nr; uint64_t arg; uint32_t expected; } rows[] = {
		{ SYS_read, 0, SECCOMP_RET_ALLOW },
		{ SYS_execve, 0, SECCOMP_RET_ALLOW },
		{ SYS_getrandom, 0, SECCOMP_RET_ALLOW },
		{ SYS_clone, CLONE_VM | CLONE_THREAD, SECCOMP_RET_ALLOW },
		{ SYS_clone, CLONE_NEWUSER, ERRNO(EPERM) },
		{ SYS_clone, CLONE_NEWNS | SIGCHLD, ERRNO(EPERM) },
		{ SYS_clone3, 0, ERRNO(ENOSYS) },
		{ SYS_unshare, CLONE_NEWUSER, ERRNO(EPERM) },
		{ SYS_mount, 0, ERRNO(EPERM) },
		{ SYS_bpf, 0, ERRNO(EPERM) },
		{ SYS_keyctl, 0, ERRNO(EPERM) },
		{ SYS_io_uring_setup, 0, ERRNO(EPERM) },
		{ SYS_userfaultfd, 0, ERRNO(EPERM) },
		{ SYS_ptrace, 0, ERRNO(EPERM) },
		{ SYS_init_module, 0, ERRNO(EPERM) },
		{ SYS_kexec_load, 0, ERRNO(EPERM) },
		{ SYS_socket, 1, SECCOMP_RET_ALLOW },
		{ SYS_socket, 2, SECCOMP_RET_ALLOW },
		{ SYS_socket, 38, ERRNO(EPERM) }, /* AF_ALG */
		{ SYS_socket, 40, ERRNO(EPERM) }, /* AF_VSOCK */
		{ SYS_personality, 0xffffffff, SECCOMP_RET_ALLOW },
		{ SYS_personality, 0x0040000, ERRNO(EPERM) }, /* no address randomisation */
		{ 5000, 0, ERRNO(ENOSYS) },
	};
	struct seccomp_program p = default_profile(0);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t got = call_default(&p, rows[i].nr, rows[i].arg);
		if (got != rows[i].expected)
			fail_msg("call %u with %x: 0x%x", rows[i].nr, (unsigned)rows[i].arg, got);
	}
}

static void test_capabilities_bring_back_the_calls_that_need_them(void **state)
{
	(void)state;
	struct seccomp_program p = default_profile(1ull << CAP_SYS_ADMIN);

	assert_int_equal(call(&p, SYS_mount), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, SYS_clone3), SECCOMP_RET_ALLOW);
	assert_int_equal(call_default(&p, SYS_clone, CLONE_NEWUSER), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, SYS_reboot), ERRNO(EPERM));
	p = default_profile(1ull << CAP_SYS_PTRACE | 1ull << CAP_SYS_CHROOT);
	assert_int_equal(call(&p, SYS_ptrace), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, SYS_chroot), SECCOMP_RET_ALLOW);
	assert_int_equal(call(&p, SYS_mount), ERRNO(EPERM));
}

static void test_the_kernel_takes_and_enforces_the_default_profile(void **state)
{
	(void)state;
	struct seccomp_program p = default_profile(0);
	struct sock_fprog prog = { (unsigned short)(p.len / 8), (struct sock_filter *)p.bytes };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct utsname u;
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, p.flags, &prog))
			_exit(1);
		bool allowed = uname(&u) == 0;
		bool refused = mount("none", "/tmp", "tmpfs", 0, NULL) < 0 && errno == EPERM;
		bool missing = syscall(5000) < 0 && errno == ENOSYS;
		_exit(allowed && refused && missing ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* ---- cache ---- */

static char cache_dir[64];
static int cache_fd = -1;

static int make_cache(void **state)
{
	(void)state;
	snprintf(cache_dir, sizeof cache_dir, "/tmp/stube-seccomp-XXXXXX");
	if (!mkdtemp(cache_dir))
		return -1;
	setenv("XDG_CACHE_HOME", cache_dir, 1);
	seccomp_cache_open(cache_dir, &cache_fd);
	return cache_fd < 0;
}

/* Remove a directory that mkdtemp(3) made in /tmp. */
static int remove_temporary(const char *path)
{
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err *e = path_remove_all(tmp, strrchr(path, '/') + 1);
	bool failed = e != NULL;

	err_free(e);
	return failed;
}

static int drop_cache(void **state)
{
	(void)state;
	fd_clear(&cache_fd);
	return remove_temporary(cache_dir);
}

static const char small[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getcwd\"],"
			    "\"action\":\"SCMP_ACT_ERRNO\"}]}";

static struct seccomp_program get(const char *text)
{
	struct seccomp_program p;

	assert_null(seccomp_get(arena, profile(text), cache_fd, NULL, &p));
	return p;
}

/* The only file of the cache. */
static char *only_file(void)
{
	static char name[256];
	DIR *dir = fdopendir(openat(cache_fd, ".", O_RDONLY | O_DIRECTORY));
	int count = 0;

	assert_non_null(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s", d->d_name);
		count++;
	}
	closedir(dir);
	assert_int_equal(count, 1);
	return name;
}

static void test_a_filter_is_compiled_once(void **state)
{
	(void)state;
	struct seccomp_program first = get(small);
	struct seccomp_program second = get(small);

	assert_false(first.cached);
	assert_true(second.cached);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.bytes, second.bytes, first.len);
	only_file();
}

static void test_flags_do_not_come_from_the_cache(void **state)
{
	(void)state;
	get(small);
	struct seccomp_program p = get("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
				       "\"syscalls\":[{\"names\":[\"getcwd\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");
	assert_true(p.cached);
	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_LOG);
}

#define ALLOW_BUT "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"

static void test_every_part_of_a_profile_is_part_of_the_key(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":0}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\"," ALL_ARCHS "}",
		ALLOW_BUT "[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\"},"
		"{\"names\":[\"write\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\"}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":2}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\","
		"\"args\":[{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\","
		"\"args\":[{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_NE\"}]}]}",
		ALLOW_BUT "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\","
		"\"args\":[{\"index\":1,\"value\":2,\"valueTwo\":3,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}",
	};
	struct str keys[ARRAY_LEN(texts)];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		str_init(&keys[i], 1 << 20);
		assert_null(seccomp_cache_key(profile(texts[i]), &keys[i]));
		for (size_t j = 0; j < i; j++) {
			if (str_equal(keys[i].data, keys[j].data))
				fail_msg("%s has the key of %s", texts[i], texts[j]);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		str_done(&keys[i]);
}

/* Another key under the same name, as after a collision of the hash. */
static void test_a_file_with_another_key_is_not_used(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 20);
	struct seccomp_program before = get(small);
	char *name = only_file();

	assert_null(file_read(cache_fd, name, &text));
	char *getcwd_at = memmem(text.data, text.len, "getcwd", 6);
	assert_non_null(getcwd_at);
	memcpy(getcwd_at, "gEtcwd", 6);
	assert_null(file_replace_volatile(cache_fd, name, text.data, text.len, 0600));
	struct seccomp_program after = get(small);
	assert_false(after.cached);
	assert_memory_equal(before.bytes, after.bytes, after.len);
	assert_true(get(small).cached); /* and the file was made good */
}

static void test_a_file_that_is_cut_or_of_odd_length_is_not_used(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 20);

	get(small);
	char *name = only_file();
	assert_null(file_read(cache_fd, name, &text));
	for (size_t cut = 0; cut < text.len; cut += 13) {
		assert_null(file_replace_volatile(cache_fd, name, text.data, cut, 0600));
		struct seccomp_program p = get(small);
		assert_false(p.cached);
	}
}

static void test_a_file_that_others_could_write_is_not_used(void **state)
{
	(void)state;
	get(small);
	char *name = only_file();

	assert_int_equal(fchmodat(cache_fd, name, 0620, 0), 0);
	struct seccomp_program p = get(small);
	assert_false(p.cached);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(cache_fd, name, 12345, 0, 0), 0);
		p = get(small);
		assert_false(p.cached);
	}
	/* nor one behind a link */
	assert_int_equal(renameat(cache_fd, name, cache_fd, ".other"), 0);
	assert_int_equal(symlinkat(".other", cache_fd, name), 0);
	p = get(small);
	assert_false(p.cached);
}

static void test_a_directory_that_others_could_write_is_not_used(void **state)
{
	(void)state;
	char path[128];
	int fd = -1;

	snprintf(path, sizeof path, "%s/%s/seccomp", cache_dir, geteuid() == 0 ? ".cache" : "stube");
	assert_int_equal(chmod(path, 0777), 0);
	seccomp_cache_open(cache_dir, &fd);
	assert_int_equal(fd, -1);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(chmod(cache_dir, 0777), 0);
	seccomp_cache_open(cache_dir, &fd);
	assert_int_equal(fd, -1);
	assert_int_equal(chmod(cache_dir, 0700), 0);
	seccomp_cache_open(cache_dir, &fd);
	assert_true(fd >= 0);
	close(fd);
}

static void test_without_a_cache_every_start_compiles(void **state)
{
	(void)state;
	struct seccomp_program p;

	assert_null(seccomp_get(arena, profile(small), -1, NULL, &p));
	assert_false(p.cached);
	assert_int_equal(call(&p, SYS_getcwd), ERRNO(EPERM));
}

static void test_the_cache_does_not_grow_without_bound(void **state)
{
	(void)state;
	int count = 0;

	for (int i = 0; i < 300; i++) {
		char name[32];
		snprintf(name, sizeof name, "%016x", i);
		close(openat(cache_fd, name, O_CREAT | O_WRONLY, 0600));
	}
	get(small);
	DIR *dir = fdopendir(openat(cache_fd, ".", O_RDONLY | O_DIRECTORY));
	while (readdir(dir))
		count++;
	closedir(dir);
	assert_true(count < 150);
	assert_true(get(small).cached);
}

#define SECCOMP_TEST(f) cmocka_unit_test_setup_teardown(f, make_arena, drop_arena)
static int make_both(void **state)
{
	return make_arena(state) || make_cache(state);
}
static int drop_both(void **state)
{
	return drop_arena(state) || drop_cache(state);
}
#define CACHE_TEST(f) cmocka_unit_test_setup_teardown(f, make_both, drop_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SECCOMP_TEST(test_each_action_is_what_the_kernel_calls_it),
		SECCOMP_TEST(test_the_default_action_has_its_own_errno),
		SECCOMP_TEST(test_arguments_are_compared_as_the_operator_says),
		SECCOMP_TEST(test_x86_and_x32_are_filtered_and_not_forgotten),
		SECCOMP_TEST(test_an_architecture_that_is_not_listed_is_killed),
		SECCOMP_TEST(test_calls_newer_than_the_profile_are_missing_not_forbidden),
		SECCOMP_TEST(test_a_permissive_profile_or_one_of_enosys_gets_no_such_prefix),
		SECCOMP_TEST(test_unknown_names_are_passed_over_with_a_warning),
		SECCOMP_TEST(test_flags_are_those_of_the_profile_and_of_a_listener),
		SECCOMP_TEST(test_filter_blocks_that_the_kernel_would_not_take_are_refused),
		SECCOMP_TEST(test_the_default_profile_refuses_what_services_do_not_need),
		SECCOMP_TEST(test_capabilities_bring_back_the_calls_that_need_them),
		SECCOMP_TEST(test_the_kernel_takes_and_enforces_the_default_profile),
		CACHE_TEST(test_a_filter_is_compiled_once),
		CACHE_TEST(test_flags_do_not_come_from_the_cache),
		CACHE_TEST(test_every_part_of_a_profile_is_part_of_the_key),
		CACHE_TEST(test_a_file_with_another_key_is_not_used),
		CACHE_TEST(test_a_file_that_is_cut_or_of_odd_length_is_not_used),
		CACHE_TEST(test_a_file_that_others_could_write_is_not_used),
		CACHE_TEST(test_a_directory_that_others_could_write_is_not_used),
		CACHE_TEST(test_without_a_cache_every_start_compiles),
		CACHE_TEST(test_the_cache_does_not_grow_without_bound),
	};

#ifndef __x86_64__
	print_message("1..0 # skip the expected numbers of calls are those of x86_64\n");
	return 0;
#endif
	return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
