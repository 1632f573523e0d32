/* runtime/seccomp.c: linux.seccomp compiled to filter bytes by libseccomp. */
#include "runtime/seccomp-internal.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/config.h"

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4)
#endif

/* Bit of a system call's number that selects x32 under x86_64's audit architecture. */
#define X32_BIT 0x40000000u

/* ---- architectures ---- */

/* What each architecture of config.json is to libseccomp, to the kernel, and on which machine its
 * programs can run. token 0: this libseccomp does not know it. */
#define NO_TOKEN 0
/* clang-format off */
static const struct arch {
	int oci;
	uint32_t token, audit, machine;
} archs[] = {
	{ OCI_ARCH_X86,         SCMP_ARCH_X86,         AUDIT_ARCH_I386,        SCMP_ARCH_X86_64 },
	{ OCI_ARCH_X86_64,      SCMP_ARCH_X86_64,      AUDIT_ARCH_X86_64,      SCMP_ARCH_X86_64 },
	{ OCI_ARCH_X32,         SCMP_ARCH_X32,         AUDIT_ARCH_X86_64,      SCMP_ARCH_X86_64 },
	{ OCI_ARCH_ARM,         SCMP_ARCH_ARM,         AUDIT_ARCH_ARM,         SCMP_ARCH_AARCH64 },
	{ OCI_ARCH_AARCH64,     SCMP_ARCH_AARCH64,     AUDIT_ARCH_AARCH64,     SCMP_ARCH_AARCH64 },
	{ OCI_ARCH_MIPS,        SCMP_ARCH_MIPS,        AUDIT_ARCH_MIPS,        SCMP_ARCH_MIPS64 },
	{ OCI_ARCH_MIPS64,      SCMP_ARCH_MIPS64,      AUDIT_ARCH_MIPS64,      SCMP_ARCH_MIPS64 },
	{ OCI_ARCH_MIPS64N32,   SCMP_ARCH_MIPS64N32,   AUDIT_ARCH_MIPS64N32,   SCMP_ARCH_MIPS64 },
	{ OCI_ARCH_MIPSEL,      SCMP_ARCH_MIPSEL,      AUDIT_ARCH_MIPSEL,      SCMP_ARCH_MIPSEL64 },
	{ OCI_ARCH_MIPSEL64,    SCMP_ARCH_MIPSEL64,    AUDIT_ARCH_MIPSEL64,    SCMP_ARCH_MIPSEL64 },
	{ OCI_ARCH_MIPSEL64N32, SCMP_ARCH_MIPSEL64N32, AUDIT_ARCH_MIPSEL64N32, SCMP_ARCH_MIPSEL64 },
	{ OCI_ARCH_PPC,         SCMP_ARCH_PPC,         AUDIT_ARCH_PPC,         SCMP_ARCH_PPC64 },
	{ OCI_ARCH_PPC64,       SCMP_ARCH_PPC64,       AUDIT_ARCH_PPC64,       SCMP_ARCH_PPC64 },
	{ OCI_ARCH_PPC64LE,     SCMP_ARCH_PPC64LE,     AUDIT_ARCH_PPC64LE,     SCMP_ARCH_PPC64LE },
	{ OCI_ARCH_S390,        SCMP_ARCH_S390,        AUDIT_ARCH_S390,        SCMP_ARCH_S390X },
	{ OCI_ARCH_S390X,       SCMP_ARCH_S390X,       AUDIT_ARCH_S390X,       SCMP_ARCH_S390X },
	{ OCI_ARCH_PARISC,      SCMP_ARCH_PARISC,      AUDIT_ARCH_PARISC,      SCMP_ARCH_PARISC64 },
	{ OCI_ARCH_PARISC64,    SCMP_ARCH_PARISC64,    AUDIT_ARCH_PARISC64,    SCMP_ARCH_PARISC64 },
	{ OCI_ARCH_RISCV64,     SCMP_ARCH_RISCV64,     AUDIT_ARCH_RISCV64,     SCMP_ARCH_RISCV64 },
};
/* clang-format on */
enum { ARCHS_MAX = 4 };

/* The architectures whose programs this machine runs and that the profile covers: always the machine's
 * own, as the specification's default. What is not covered is killed, so leaving out what cannot run
 * anyway changes nothing but the length of the filter. */
static size_t covered_archs(const struct oci_seccomp *profile, const struct arch *ret[ARCHS_MAX])
{
	uint32_t native = seccomp_arch_native();
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(archs); i++) {
		bool covered = archs[i].token == native;
		for (size_t j = 0; j < profile->architectures.count; j++)
			covered |= profile->architectures.items[j] == archs[i].oci;
		/* A 32-bit machine has no relatives of its own here. */
		bool runs = archs[i].machine == native || archs[i].token == native;
		if (covered && runs && count < ARCHS_MAX)
			ret[count++] = &archs[i];
	}
	return count;
}

/* ---- actions and arguments ---- */

static err *action_of(int action, const uint32_t *errno_ret, const char *where, uint32_t *ret)
{
	uint32_t code = errno_ret ? *errno_ret : EPERM;

	switch (action) {
	case OCI_ACT_KILL:
	case OCI_ACT_KILL_THREAD:
		*ret = SCMP_ACT_KILL_THREAD;
		return NULL;
	case OCI_ACT_KILL_PROCESS:
		*ret = SCMP_ACT_KILL_PROCESS;
		return NULL;
	case OCI_ACT_TRAP:
		*ret = SCMP_ACT_TRAP;
		return NULL;
	case OCI_ACT_ERRNO:
		*ret = SCMP_ACT_ERRNO(code);
		return NULL;
	case OCI_ACT_TRACE:
		*ret = SCMP_ACT_TRACE(code);
		return NULL;
	case OCI_ACT_ALLOW:
		*ret = SCMP_ACT_ALLOW;
		return NULL;
	case OCI_ACT_LOG:
		*ret = SCMP_ACT_LOG;
		return NULL;
	case OCI_ACT_NOTIFY:
		*ret = SCMP_ACT_NOTIFY;
		return NULL;
	}
	return err_new(EINVAL, "linux.seccomp.%s: no action", where);
}

static enum scmp_compare compare_of(int op)
{
	static const enum scmp_compare ops[] = {
		[OCI_CMP_NE] = SCMP_CMP_NE, [OCI_CMP_LT] = SCMP_CMP_LT, [OCI_CMP_LE] = SCMP_CMP_LE,
		[OCI_CMP_EQ] = SCMP_CMP_EQ, [OCI_CMP_GE] = SCMP_CMP_GE, [OCI_CMP_GT] = SCMP_CMP_GT,
		[OCI_CMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};

	return op > 0 && (size_t)op < ARRAY_LEN(ops) ? ops[op] : _SCMP_CMP_MIN;
}

enum { ARGS_MAX = 6 };

/* *ret_alternatives: some argument is compared twice, which the kernel's own form cannot say in one
 * rule; engines mean by it that any of the comparisons is enough (runc, crun). */
static err *args_of(const struct oci_seccomp_rule *rule, size_t at, struct scmp_arg_cmp *ret,
		    bool *ret_alternatives)
{
	unsigned seen = 0;

	if (rule->args.count > ARGS_MAX)
		return err_new(E2BIG, "linux.seccomp.syscalls[%zu].args: more than %d", at, ARGS_MAX);
	*ret_alternatives = false;
	for (size_t i = 0; i < rule->args.count; i++) {
		const struct oci_seccomp_arg *a = &rule->args.items[i];
		ret[i] = (struct scmp_arg_cmp){ a->index, compare_of(a->op), a->value, a->value_two };
		if (ret[i].op == _SCMP_CMP_MIN || a->index >= ARGS_MAX)
			return err_new(EINVAL, "linux.seccomp.syscalls[%zu].args[%zu]: no comparison", at, i);
		*ret_alternatives |= (seen >> a->index) & 1;
		seen |= 1u << a->index;
	}
	return NULL;
}

/* ---- building ---- */

struct build {
	scmp_filter_ctx ctx;
	uint32_t default_action;
	struct strv *warnings;
};

static err *failed(int code, const char *what, const char *name)
{
	return err_code(code < 0 ? -code : EINVAL, "linux.seccomp: %s '%s'", what, name);
}

static err *add_name(struct build *b, const struct oci_seccomp_rule *rule, const char *name, uint32_t action,
		     const struct scmp_arg_cmp *args, bool alternatives)
{
	int number = seccomp_syscall_resolve_name(name);
	int code = 0;

	if (number == __NR_SCMP_ERROR) {
		if (b->warnings)
			strv_addf(b->warnings, "linux.seccomp: unknown system call '%s', ignored", name);
		return NULL;
	}
	if (!alternatives)
		code = seccomp_rule_add_array(b->ctx, action, number, (unsigned)rule->args.count, args);
	for (size_t i = 0; alternatives && !code && i < rule->args.count; i++)
		code = seccomp_rule_add_array(b->ctx, action, number, 1, &args[i]);
	/* Of two rules for the very same case the first stands. */
	if (code < 0 && code != -EEXIST)
		return failed(code, "add a rule for", name);
	return NULL;
}

static err *add_rule(struct build *b, const struct oci_seccomp_rule *rule, size_t at)
{
	struct scmp_arg_cmp args[ARGS_MAX];
	bool alternatives = false;
	uint32_t action = 0;
	char where[48];

	snprintf(where, sizeof where, "syscalls[%zu].action", at);
	TRY(action_of(rule->action, rule->errno_ret, where, &action));
	/* What happens anyway needs no rule, and libseccomp takes none. */
	if (action == b->default_action)
		return NULL;
	TRY(args_of(rule, at, args, &alternatives));
	for (size_t i = 0; i < rule->names.count; i++)
		TRY(add_name(b, rule, rule->names.items[i], action, args, alternatives));
	return NULL;
}

static err *set_up(struct build *b, const struct arch *const *list, size_t count)
{
	/* A program of another architecture would see other calls behind the same numbers. */
	int code = seccomp_attr_set(b->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (!code)
		code = seccomp_attr_set(b->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (code)
		return failed(code, "set up", "filter");
	for (size_t i = 0; i < count; i++) {
		code = seccomp_arch_add(b->ctx, list[i]->token);
		if (code && code != -EEXIST)
			return failed(code, "add architecture",
				      enum_name(oci_seccomp_arch_names, list[i]->oci));
	}
	return NULL;
}

/* libseccomp writes to a descriptor only. */
static err *export(struct build *b, struct str *out)
{
	auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC);

	if (fd < 0)
		return err_errno("create memory file");
	int code = seccomp_export_bpf(b->ctx, fd);
	if (code)
		return failed(code, "compile", "filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno("rewind memory file");
	return fd_read_all(fd, out);
}

/* ---- calls newer than the profile ---- */

/* The highest number that the profile names on this architecture; -1: none. */
static int highest_call(const struct oci_seccomp *profile, uint32_t token)
{
	int highest = -1;

	for (size_t i = 0; i < profile->syscalls.count; i++) {
		const struct strings *names = &profile->syscalls.items[i].names;
		for (size_t j = 0; j < names->count; j++) {
			int number = seccomp_syscall_resolve_name_arch(token, names->items[j]);
			if (token == SCMP_ARCH_X32 && number > 0)
				number &= (int)~X32_BIT;
			highest = MAX(highest, number);
		}
	}
	return highest;
}

/* A call that its author could not know is not forbidden but missing: libraries fall back on ENOSYS, and
 * give up on EPERM. Only where the profile refuses by an errno other than ENOSYS. */
static bool wants_missing(const struct oci_seccomp *p)
{
	switch (p->default_action) {
	case OCI_ACT_ALLOW:
	case OCI_ACT_LOG:
	case OCI_ACT_TRACE:
	case OCI_ACT_NOTIFY:
		return false;
	case OCI_ACT_ERRNO:
		return !p->default_errno_ret || *p->default_errno_ret != ENOSYS;
	}
	return true;
}

static void emit(struct str *out, struct sock_filter insn)
{
	str_add_bytes(out, &insn, sizeof insn);
}

#define LOAD(member)                                                                               \
	(struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define JUMP(op, value, yes, no) (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | (op), (value), (yes), (no))
#define ANSWER(value)            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (value))
#define MISSING                  (SECCOMP_RET_ERRNO | ENOSYS)

/* In front of libseccomp's filter, for each audit architecture of the profile:
 *
 *	arch is not ours       -> next architecture
 *	number above highest   -> ENOSYS
 *	                       -> on with the filter
 *
 * x86_64 and x32 share an audit architecture; x32's numbers are those from X32_BIT on. -1, which tracers
 * set to skip a call, is above both and is left to the filter. */
static void emit_missing(const struct oci_seccomp *profile, const struct arch *const *list, size_t count,
			 struct str *out)
{
	for (size_t i = 0; i < count; i++) {
		int highest = highest_call(profile, list[i]->token);
		bool x32 = list[i]->token == SCMP_ARCH_X32;
		if (highest < 0)
			continue;
		emit(out, LOAD(arch));
		emit(out, JUMP(BPF_JEQ, list[i]->audit, 0, 4));
		emit(out, LOAD(nr));
		/* From X32_BIT on numbers are x32's, below they are not. */
		emit(out, x32 ? JUMP(BPF_JGT, 0x7fffffffu, 2, 0) : JUMP(BPF_JGE, X32_BIT, 2, 0));
		emit(out, JUMP(BPF_JGT, (uint32_t)highest | (x32 ? X32_BIT : 0), 0, 1));
		emit(out, ANSWER(MISSING));
	}
}

/* ---- all of it ---- */

static err *build(struct build *b, const struct oci_seccomp *profile, struct str *out)
{
	const struct arch *list[ARCHS_MAX];
	size_t count = covered_archs(profile, list);

	TRY(set_up(b, list, count));
	for (size_t i = 0; i < profile->syscalls.count; i++)
		TRY(add_rule(b, &profile->syscalls.items[i], i));
	if (wants_missing(profile))
		emit_missing(profile, list, count, out);
	return export(b, out);
}

static bool asks_for_notify(const struct oci_seccomp *profile)
{
	for (size_t i = 0; i < profile->syscalls.count; i++) {
		if (profile->syscalls.items[i].action == OCI_ACT_NOTIFY)
			return true;
	}
	return profile->default_action == OCI_ACT_NOTIFY;
}

void seccomp_set_flags(const struct oci_seccomp *profile, struct seccomp_program *p)
{
	p->flags = 0;
	for (size_t i = 0; i < profile->flags.count; i++)
		p->flags |= (unsigned)profile->flags.items[i];
	p->notify = asks_for_notify(profile);
	if (!p->notify)
		return;
	p->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/* Without it both flags would want the return value (Linux 5.7). */
	if (p->flags & SECCOMP_FILTER_FLAG_TSYNC)
		p->flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
}

err *seccomp_compile(struct arena *arena, const struct oci_seccomp *profile, struct strv *warnings,
		     struct seccomp_program *ret)
{
	auto_str struct str bytes = STR_INIT(BPF_MAXINSNS * sizeof(struct sock_filter));
	struct build b = { .warnings = warnings };
	struct seccomp_program program = { 0 };
	char *copy;

	TRY(action_of(profile->default_action, profile->default_errno_ret, "defaultAction",
		      &b.default_action));
	b.ctx = seccomp_init(b.default_action);
	if (!b.ctx)
		return err_new(EINVAL, "linux.seccomp.defaultAction: libseccomp refuses it");
	err *e = build(&b, profile, &bytes);
	seccomp_release(b.ctx);
	TRY(e);
	TRY(err_wrap(str_check(&bytes), "linux.seccomp: compiled filter"));
	TRY(seccomp_check_bytes(bytes.data, bytes.len));
	TRY_ALLOC(arena, copy, arena_alloc(arena, bytes.len));
	memcpy(copy, bytes.data, bytes.len);
	program.bytes = copy;
	program.len = bytes.len;
	seccomp_set_flags(profile, &program);
	*ret = program;
	return NULL;
}

err *seccomp_check_names(const struct oci_seccomp *profile)
{
	for (size_t i = 0; i < profile->syscalls.count; i++) {
		const struct strings *names = &profile->syscalls.items[i].names;

		for (size_t j = 0; j < names->count; j++)
			if (seccomp_syscall_resolve_name(names->items[j]) == __NR_SCMP_ERROR)
				return err_new(
					EINVAL,
					"linux.seccomp.syscalls[%zu].names[%zu]: unknown system call '%s'", i,
					j, names->items[j]);
	}
	return NULL;
}

err *seccomp_check_bytes(const void *bytes, size_t len)
{
	if (!bytes || len == 0 || len % sizeof(struct sock_filter) != 0)
		return err_new(EINVAL, "seccomp filter: %zu bytes are no whole number of instructions", len);
	if (len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_new(E2BIG, "seccomp filter: %zu instructions, the kernel takes %d",
			       len / sizeof(struct sock_filter), BPF_MAXINSNS);
	return NULL;
}

void seccomp_add_version(struct str *out)
{
	const struct scmp_version *v = seccomp_version();

	str_addf(out, "libseccomp %u.%u.%u native %u", v->major, v->minor, v->micro, seccomp_arch_native());
}
