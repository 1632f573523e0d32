/* tests/unit/runtime/devices_bpf_test.c: device rules, run instruction by instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/bpf.h>

#include "oci/config.h"
#include "runtime/devices-bpf.h"

/* A small machine for the few instructions that the compiler emits; anything else, a jump backwards
 * or out of the program, and an end without a result fail the test. */
static int machine(const struct bpf_insn *insns, size_t count, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint32_t reg[11] = { 0 };

	for (size_t pc = 0; pc < count; pc++) {
		const struct bpf_insn *i = &insns[pc];
		uint32_t imm = (uint32_t)i->imm, *dst = &reg[i->dst_reg];
		bool taken = false;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(i->src_reg, BPF_REG_1);
			memcpy(dst, (const char *)ctx + i->off, 4);
			continue;
		case BPF_ALU | BPF_MOV | BPF_X:
			*dst = reg[i->src_reg];
			continue;
		case BPF_ALU | BPF_MOV | BPF_K:
			*dst = imm;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			*dst &= imm;
			continue;
		case BPF_ALU | BPF_RSH | BPF_K:
			*dst >>= imm;
			continue;
		case BPF_JMP | BPF_EXIT:
			return (int)reg[0];
		case BPF_JMP | BPF_JA:
			taken = true;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			taken = *dst != imm;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			taken = *dst == imm;
			break;
		case BPF_JMP32 | BPF_JSET | BPF_K:
			taken = (*dst & imm) != 0;
			break;
		default:
			fail_msg("instruction %zu has the unknown code 0x%x", pc, i->code);
		}
		assert_true(i->off >= 0);
		if (taken)
			pc += (size_t)i->off;
	}
	fail_msg("the program has no end");
	return -1;
}

/* The same by definition: every kind asked for is decided by the last rule that names it. */
static bool by_definition(const struct device_rule *rules, size_t count, char type, uint32_t major,
			  uint32_t minor, unsigned access)
{
	for (unsigned kind = DEVICE_MKNOD; kind <= DEVICE_WRITE; kind <<= 1) {
		bool allowed = false;
		for (size_t i = 0; i < count; i++) {
			const struct device_rule *r = &rules[i];
			if ((r->type == 'a' || r->type == type) && (r->access & kind) &&
			    (r->major < 0 || r->major == major) && (r->minor < 0 || r->minor == minor))
				allowed = r->allow;
		}
		if ((access & kind) && !allowed)
			return false;
	}
	return true;
}

static bool run(const struct device_rule *rules, size_t count, char type, uint32_t major, uint32_t minor,
		unsigned access)
{
	auto_arena struct arena *arena = NULL;
	struct bpf_insn *insns;
	size_t insn_count;
	struct bpf_cgroup_dev_ctx ctx = {
		.access_type = access << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		.major = major,
		.minor = minor,
	};

	assert_null(arena_new(1 << 20, &arena));
	assert_null(devices_compile(arena, rules, count, &insns, &insn_count));
	return machine(insns, insn_count, &ctx) == 1;
}

/* clang-format off */
static const struct device_rule
	deny_all = { false, 'a', -1, -1, DEVICE_RWM }, allow_everything = { true, 'a', -1, -1, DEVICE_RWM },
	allow_null = { true, 'c', 1, 3, DEVICE_RWM }, deny_null_write = { false, 'c', 1, 3, DEVICE_WRITE },
	allow_null_read = { true, 'c', 1, 3, DEVICE_READ }, allow_null_write = { true, 'c', 1, 3, DEVICE_WRITE },
	deny_block = { false, 'b', -1, -1, DEVICE_RWM }, allow_minor_7 = { true, 'a', -1, 7, DEVICE_RWM },
	allow_high = { true, 'c', 4294967295, 2147483648, DEVICE_RWM };

static const struct row {
	const char *name;
	struct device_rule rules[4];
	size_t count;
	char type;
	uint32_t major, minor;
	unsigned access;
	bool expected;
} rows[] = {
	{ "no rule refuses", { }, 0, 'c', 1, 3, DEVICE_READ, false },
	{ "a rule allows its device", { deny_all, allow_null }, 2, 'c', 1, 3, DEVICE_RWM, true },
	{ "another minor is refused", { deny_all, allow_null }, 2, 'c', 1, 4, DEVICE_READ, false },
	{ "another major is refused", { deny_all, allow_null }, 2, 'c', 2, 3, DEVICE_READ, false },
	{ "another type is refused", { deny_all, allow_null }, 2, 'b', 1, 3, DEVICE_READ, false },
	{ "the last match wins, refusing", { allow_null, deny_all }, 2, 'c', 1, 3, DEVICE_READ, false },
	{ "the last match wins, allowing", { deny_null_write, allow_null }, 2, 'c', 1, 3, DEVICE_WRITE, true },
	{ "one kind refused", { allow_null, deny_null_write }, 2, 'c', 1, 3, DEVICE_WRITE, false },
	{ "the other kind goes on", { allow_null, deny_null_write }, 2, 'c', 1, 3, DEVICE_READ, true },
	{ "both kinds at once need both", { allow_null, deny_null_write }, 2, 'c', 1, 3,
	  DEVICE_READ | DEVICE_WRITE, false },
	{ "two rules together allow both", { allow_null_read, allow_null_write }, 2, 'c', 1, 3,
	  DEVICE_READ | DEVICE_WRITE, true },
	{ "half is not enough", { allow_null_read }, 1, 'c', 1, 3, DEVICE_READ | DEVICE_WRITE, false },
	{ "everything is allowed", { allow_everything }, 1, 'b', 8, 0, DEVICE_RWM, true },
	{ "all but block devices, character", { allow_everything, deny_block }, 2, 'c', 8, 0, DEVICE_RWM, true },
	{ "all but block devices, block", { allow_everything, deny_block }, 2, 'b', 8, 0, DEVICE_READ, false },
	{ "any major with one minor", { allow_minor_7 }, 1, 'b', 99, 7, DEVICE_RWM, true },
	{ "numbers with the highest bit", { allow_high }, 1, 'c', 4294967295, 2147483648, DEVICE_READ, true },
	{ "numbers with the highest bit, other", { allow_high }, 1, 'c', 4294967295, 0, DEVICE_READ, false },
};
/* clang-format on */

static void test_rules_decide_as_the_specification_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		if (run(r->rules, r->count, r->type, r->major, r->minor, r->access) != r->expected)
			fail_msg("%s", r->name);
	}
}

/* A small generator, so that a failure can be repeated. */
static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void test_programs_agree_with_the_definition_on_random_rules(void **state)
{
	(void)state;
	uint32_t seed = 1;

	for (int round = 0; round < 3000; round++) {
		struct device_rule rules[8];
		size_t count = next(&seed) % 9;
		for (size_t i = 0; i < count; i++) {
			rules[i] = (struct device_rule){
				.allow = next(&seed) & 1,
				.type = "abc"[next(&seed) % 3],
				.major = (int64_t)(next(&seed) % 4) - 1,
				.minor = (int64_t)(next(&seed) % 4) - 1,
				.access = next(&seed) % 7 + 1,
			};
		}
		char type = "bc"[next(&seed) % 2];
		uint32_t major = next(&seed) % 3, minor = next(&seed) % 3;
		unsigned access = next(&seed) % 7 + 1;
		if (run(rules, count, type, major, minor, access) !=
		    by_definition(rules, count, type, major, minor, access))
			fail_msg("round %d", round);
	}
}

static void test_the_default_devices_come_after_the_callers_rules(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	const int64_t one = 1, three = 3, any = -1;
	struct oci_device_rule asked[] = {
		{ .allow = false, .type = 'a', .major = &any, .access = "rwm" },
		{ .allow = false, .type = 'c', .major = &one, .minor = &three, .access = "rw" },
		{ .allow = true, .type = 'b', .major = &three, .access = "r" },
		{ .allow = true, .type = 'b', .access = "" },
	};
	struct oci_resources resources = { .devices = { asked, ARRAY_LEN(asked) } };
	struct device_rule *rules;
	size_t count;

	assert_null(arena_new(1 << 20, &arena));
	assert_null(devices_rules(arena, &resources, &rules, &count));
	assert_int_equal(count, 3 + 11);
	assert_true(run(rules, count, 'c', 1, 3, DEVICE_READ | DEVICE_WRITE)); /* null, although refused */
	assert_true(run(rules, count, 'c', 136, 5, DEVICE_RWM));
	assert_true(run(rules, count, 'b', 3, 9, DEVICE_READ));
	assert_false(run(rules, count, 'b', 3, 9, DEVICE_WRITE));
	assert_true(run(rules, count, 'b', 8, 0, DEVICE_MKNOD));
	assert_false(run(rules, count, 'b', 8, 0, DEVICE_READ));
	assert_false(run(rules, count, 'c', 1, 11, DEVICE_READ)); /* kmsg */
	/* and they are all there is without resources */
	assert_null(devices_rules(arena, NULL, &rules, &count));
	assert_int_equal(count, 11);
	assert_true(run(rules, count, 'c', 5, 2, DEVICE_RWM));
	assert_false(run(rules, count, 'c', 10, 200, DEVICE_READ));
}

static void test_a_device_number_beyond_the_kernel_is_refused(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	const int64_t big = 4294967296;
	struct oci_device_rule asked = { .allow = true, .type = 'c', .major = &big };
	struct oci_resources resources = { .devices = { &asked, 1 } };
	struct device_rule *rules;
	size_t count;

	assert_null(arena_new(1 << 20, &arena));
	auto_err err *e = devices_rules(arena, &resources, &rules, &count);
	assert_non_null(e);
	assert_int_equal(e->code, ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_decide_as_the_specification_says),
		cmocka_unit_test(test_programs_agree_with_the_definition_on_random_rules),
		cmocka_unit_test(test_the_default_devices_come_after_the_callers_rules),
		cmocka_unit_test(test_a_device_number_beyond_the_kernel_is_refused),
	};

	return cmocka_run_group_tests_name("device rules", tests, NULL, NULL);
}
