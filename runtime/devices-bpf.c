/* runtime/devices-bpf.c: device rules compiled to eBPF, loaded, attached. */
#include "runtime/devices-bpf.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/config.h"

/* Each rule is at most five instructions, and the kernel's jumps reach 32767 of them. */
enum { RULES_MAX = 4096, INSNS_A_RULE = 5 };
static const char program_name[BPF_OBJ_NAME_LEN] = "stube_devices";

/* clang-format off */
static const struct device_rule default_rules[] = {
	{ true, 'c', -1, -1, DEVICE_MKNOD },
	{ true, 'b', -1, -1, DEVICE_MKNOD },
	{ true, 'c',   1,  3, DEVICE_RWM }, /* null */
	{ true, 'c',   1,  5, DEVICE_RWM }, /* zero */
	{ true, 'c',   1,  7, DEVICE_RWM }, /* full */
	{ true, 'c',   1,  8, DEVICE_RWM }, /* random */
	{ true, 'c',   1,  9, DEVICE_RWM }, /* urandom */
	{ true, 'c',   5,  0, DEVICE_RWM }, /* tty */
	{ true, 'c',   5,  1, DEVICE_RWM }, /* console */
	{ true, 'c',   5,  2, DEVICE_RWM }, /* ptmx */
	{ true, 'c', 136, -1, DEVICE_RWM }, /* pts */
};
/* clang-format on */

/* ---- rules ---- */

static unsigned access_of(const char *letters)
{
	unsigned access = 0;

	if (!letters)
		return DEVICE_RWM;
	for (; *letters; letters++)
		access |= *letters == 'r' ? DEVICE_READ : *letters == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
	return access;
}

err *devices_rules(struct arena *arena, const struct oci_resources *resources, struct device_rule **ret,
		   size_t *ret_count)
{
	size_t asked = resources ? resources->devices.count : 0, count = 0;
	struct device_rule *rules;

	if (asked > RULES_MAX)
		return err_new(E2BIG, "linux.resources.devices: more than %d rules", RULES_MAX);
	TRY_ALLOC(arena, rules, arena_array(arena, asked + ARRAY_LEN(default_rules), sizeof *rules));
	for (size_t i = 0; i < asked; i++) {
		const struct oci_device_rule *d = &resources->devices.items[i];
		struct device_rule rule = {
			.allow = d->allow,
			.type = (char)d->type,
			.major = d->major ? *d->major : -1,
			.minor = d->minor ? *d->minor : -1,
			.access = access_of(d->access),
		};
		if (rule.major > UINT32_MAX || rule.minor > UINT32_MAX)
			return err_new(ERANGE, "linux.resources.devices[%zu]: no such device number", i);
		if (rule.access) /* "" names no kind of access and so rules nothing */
			rules[count++] = rule;
	}
	memcpy(rules + count, default_rules, sizeof default_rules);
	*ret = rules;
	*ret_count = count + ARRAY_LEN(default_rules);
	return NULL;
}

static bool matches_all(const struct device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && r->access == DEVICE_RWM;
}

/* Nothing would ever be refused, as in a privileged container: no program is needed. */
static bool allow_all(const struct device_rule *rules, size_t count)
{
	for (size_t i = count; i-- > 0 && rules[i].allow;) {
		if (matches_all(&rules[i]))
			return true;
	}
	return false;
}

/* ---- compiler ---- */

/* Registers: 1 the context, 2 type, 3 kinds of access not yet allowed, 4 major, 5 minor. */
enum { TYPE = BPF_REG_2, PENDING = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5 };

/* Jump targets that are known only at the end; kept in the offset until then. */
enum { TO_NEXT = -1, TO_ALLOW = -2, TO_REFUSE = -3 };

struct code {
	struct bpf_insn *insns;
	size_t count;
};

static void emit(struct code *c, struct bpf_insn insn)
{
	c->insns[c->count++] = insn;
}

static struct bpf_insn load(int reg, size_t offset)
{
	return (struct bpf_insn){ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (uint8_t)reg & 15,
				  .src_reg = BPF_REG_1, .off = (int16_t)offset };
}

static struct bpf_insn alu(int op, int reg, int32_t value)
{
	return (struct bpf_insn){ .code = (uint8_t)(BPF_ALU | BPF_K | op), .dst_reg = (uint8_t)reg & 15,
				  .imm = value };
}

/* 32-bit compare: a device number may have its highest bit set, an immediate is signed. */
static struct bpf_insn jump(int op, int reg, uint32_t value, int16_t target)
{
	return (struct bpf_insn){ .code = (uint8_t)(BPF_JMP32 | BPF_K | op), .dst_reg = (uint8_t)reg & 15,
				  .off = target, .imm = (int32_t)value };
}

static struct bpf_insn go(int16_t target)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_JA, .off = target };
}

static void emit_prologue(struct code *c)
{
	emit(c, load(TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	emit(c, (struct bpf_insn){ .code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = PENDING, .src_reg = TYPE });
	emit(c, alu(BPF_AND, TYPE, 0xffff));
	emit(c, alu(BPF_RSH, PENDING, 16));
	emit(c, load(MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major)));
	emit(c, load(MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor)));
}

/* Rules run from the last to the first: whichever matches a kind of access first decides it. An
 * allowing rule takes its kinds away from those still to be decided. */
static void emit_rule(struct code *c, const struct device_rule *r)
{
	size_t begin = c->count;

	if (r->type != 'a')
		emit(c, jump(BPF_JNE, TYPE, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, TO_NEXT));
	if (r->major >= 0)
		emit(c, jump(BPF_JNE, MAJOR, (uint32_t)r->major, TO_NEXT));
	if (r->minor >= 0)
		emit(c, jump(BPF_JNE, MINOR, (uint32_t)r->minor, TO_NEXT));
	if (r->access == DEVICE_RWM) {
		emit(c, go(r->allow ? TO_ALLOW : TO_REFUSE));
	} else if (r->allow) {
		emit(c, alu(BPF_AND, PENDING, (int32_t)(DEVICE_RWM & ~r->access)));
		emit(c, jump(BPF_JEQ, PENDING, 0, TO_ALLOW));
	} else {
		emit(c, jump(BPF_JSET, PENDING, r->access, TO_REFUSE));
	}
	for (size_t i = begin; i < c->count; i++) {
		if (c->insns[i].off == TO_NEXT)
			c->insns[i].off = (int16_t)(c->count - i - 1);
	}
}

static bool is_jump(const struct bpf_insn *insn)
{
	int class = BPF_CLASS(insn->code);

	return class == BPF_JMP || class == BPF_JMP32;
}

/* "return value", and every jump that was meant for it. The kernel refuses code that nothing reaches,
 * so it is left out when nobody jumps here and nothing falls through. */
static void emit_return(struct code *c, int16_t target, int32_t value, bool falls_through)
{
	size_t here = c->count;
	bool used = falls_through;

	for (size_t i = 0; i < here; i++) {
		if (!is_jump(&c->insns[i]) || c->insns[i].off != target)
			continue;
		c->insns[i].off = (int16_t)(here - i - 1);
		used = true;
	}
	if (!used)
		return;
	emit(c, alu(BPF_MOV, BPF_REG_0, value));
	emit(c, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
}

err *devices_compile(struct arena *arena, const struct device_rule *rules, size_t count,
		     struct bpf_insn **ret, size_t *ret_count)
{
	struct code c = { 0 };
	bool decided = false;

	if (count > RULES_MAX + ARRAY_LEN(default_rules))
		return err_new(E2BIG, "more than %d device rules", RULES_MAX);
	TRY_ALLOC(arena, c.insns, arena_array(arena, 10 + count * INSNS_A_RULE, sizeof *c.insns));
	emit_prologue(&c);
	for (size_t i = count; i-- > 0 && !decided;) {
		emit_rule(&c, &rules[i]);
		decided = matches_all(&rules[i]); /* what stands before it can no longer matter */
	}
	emit_return(&c, TO_REFUSE, 0, !decided);
	emit_return(&c, TO_ALLOW, 1, false);
	*ret = c.insns;
	*ret_count = c.count;
	return NULL;
}

/* ---- kernel ---- */

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static err *load_program(const struct bpf_insn *insns, size_t count, int *ret_fd)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.expected_attach_type = BPF_CGROUP_DEVICE,
		.insns = (uintptr_t)insns,
		.insn_cnt = (uint32_t)count,
		.license = (uintptr_t)"GPL",
	};

	memcpy(attr.prog_name, program_name, sizeof program_name);
	*ret_fd = bpf(BPF_PROG_LOAD, &attr);
	if (*ret_fd >= 0)
		return NULL;
	err *e = err_errno("load device rules as an eBPF program");
	if (e->code == EPERM)
		e = err_hint(e, "loading needs CAP_BPF or CAP_SYS_ADMIN in the initial user namespace; before "
				"Linux 5.11 also enough RLIMIT_MEMLOCK");
	return e;
}

/* Our earlier program on this cgroup, as a descriptor; -1 when there is none. */
static err *find_earlier(int cgroup_fd, int *ret_fd)
{
	uint32_t ids[64] = { 0 };
	union bpf_attr query = { 0 };

	*ret_fd = -1;
	query.query.target_fd = (uint32_t)cgroup_fd;
	query.query.attach_type = BPF_CGROUP_DEVICE;
	query.query.prog_ids = (uintptr_t)ids;
	query.query.prog_cnt = ARRAY_LEN(ids);
	if (bpf(BPF_PROG_QUERY, &query) < 0)
		return err_errno("list the eBPF programs of the cgroup");
	for (uint32_t i = 0; i < query.query.prog_cnt; i++) {
		struct bpf_prog_info info = { 0 };
		union bpf_attr by_id = { .prog_id = ids[i] };
		auto_close int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
		union bpf_attr by_fd = { .info = {
			.bpf_fd = (uint32_t)fd, .info_len = sizeof info, .info = (uintptr_t)&info,
		} };
		if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &by_fd) < 0)
			continue;
		if (memcmp(info.name, program_name, sizeof program_name) == 0) {
			*ret_fd = TAKE_FD(fd);
			return NULL;
		}
	}
	return NULL;
}

err *devices_attach(int cgroup_fd, const struct bpf_insn *insns, size_t count, bool fresh)
{
	auto_close int program = -1;
	auto_close int earlier = -1;

	TRY(load_program(insns, count, &program));
	if (!fresh)
		TRY(find_earlier(cgroup_fd, &earlier));
	union bpf_attr attr = {
		.target_fd = (uint32_t)cgroup_fd,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		/* MULTI: programs of parents go on to rule as well, and a child may add its own. */
		.attach_flags = BPF_F_ALLOW_MULTI | (earlier >= 0 ? BPF_F_REPLACE : 0),
		.replace_bpf_fd = (uint32_t)(earlier >= 0 ? earlier : 0),
	};
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_errno("attach device rules to the cgroup");
	return NULL;
}

err *devices_apply(int cgroup_fd, const struct oci_resources *resources, bool fresh, bool rootless)
{
	auto_arena struct arena *arena = NULL;
	struct device_rule *rules = NULL;
	struct bpf_insn *insns = NULL;
	size_t rule_count = 0, insn_count = 0;

	if (cgroup_fd < 0)
		return NULL;
	TRY(arena_new(4 << 20, &arena));
	TRY(devices_rules(arena, resources, &rules, &rule_count));
	if (fresh && allow_all(rules, rule_count))
		return NULL;
	TRY(devices_compile(arena, rules, rule_count, &insns, &insn_count));
	err *e = devices_attach(cgroup_fd, insns, insn_count, fresh);
	if (e && e->code == EPERM && rootless) {
		err_free(e);
		return NULL;
	}
	return e;
}
