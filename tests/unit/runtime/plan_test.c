/* tests/unit/runtime/plan_test.c: the start plan: written, read back, and never believed. */
#include "tests/unit/unit.h"

#include "runtime/plan-build.h"
#include "runtime/plan-config.h"

/* A small plan with one item of every kind; `b` is initialised. */
static void fill(struct plan_builder *b)
{
	const char *const args[] = { "sh", "-c", "true" };
	plan_builder_init(b);
	b->plan.id = plan_add_text(b, "web");
	b->plan.process.args = plan_add_texts(b, args, 3);
	b->plan.process.cwd = plan_add_text(b, "/");
	struct plan_mount mount = {
		.destination = plan_add_text(b, "/proc"),
		.type = plan_add_text(b, "proc"),
		.label = plan_add_text(b, "mounts[0]"),
		.options = plan_add_texts(b, args, 1),
		.fd = PLAN_NO_FD,
	};
	b->plan.mounts = plan_add_items(b, &mount, sizeof mount, 1);
	struct plan_pair pair = { plan_add_text(b, "sys/a"), plan_add_text(b, "1") };
	b->plan.sysctls = plan_add_items(b, &pair, sizeof pair, 1);
	struct plan_hook hook = { plan_add_text(b, "/bin/hook"), b->plan.process.args, { 0 }, 5 };
	b->plan.hooks_start = plan_add_items(b, &hook, sizeof hook, 1);
}

static const struct plan *finished(struct plan_builder *b)
{
	const struct plan *p = NULL;
	err *e = plan_finish(b, &p);

	assert_null(e);
	return p;
}

static void test_what_was_written_is_read_back(void **state)
{
	auto_plan_builder struct plan_builder b;

	(void)state;
	fill(&b);
	const struct plan *p = finished(&b);
	const struct plan_mount *m = plan_items(p, p->mounts);
	auto_free char **args = plan_strings(p, p->process.args);
	assert_string_equal(plan_string(p, p->id), "web");
	assert_string_equal(args[2], "true");
	assert_null(args[3]);
	assert_string_equal(plan_string(p, m->destination), "/proc");
	assert_null(plan_string(p, m->source));
}

static void test_room_for_a_large_list_is_the_arenas(void **state)
{
	auto_plan_builder struct plan_builder b;
	auto_arena struct arena *arena = NULL;
	static uint64_t filter[2048];

	(void)state;
	assert_null(arena_new(1 << 20, &arena));
	fill(&b);
	filter[2047] = 7;
	plan_builder_room(&b, arena, sizeof filter);
	assert_true(arena_used(arena) > sizeof filter);
	b.plan.seccomp = plan_add_items(&b, filter, 8, ARRAY_LEN(filter));
	const char *data = b.bytes.data;
	const struct plan *p = finished(&b);
	assert_ptr_equal(p, data);
	assert_int_equal(((const uint64_t *)plan_items(p, p->seccomp))[2047], 7);
	assert_string_equal(plan_string(p, p->id), "web");
	/* An arena that is full is no obstacle. */
	auto_arena struct arena *full = NULL;
	auto_plan_builder struct plan_builder c;
	assert_null(arena_new(16, &full));
	fill(&c);
	plan_builder_room(&c, full, sizeof filter);
	c.plan.seccomp = plan_add_items(&c, filter, 8, ARRAY_LEN(filter));
	assert_non_null(finished(&c));
}

static void test_a_plan_can_be_moved_in_memory(void **state)
{
	auto_plan_builder struct plan_builder b;

	(void)state;
	fill(&b);
	const struct plan *p = finished(&b);
	auto_free struct plan *copy = malloc(p->size);
	memcpy(copy, p, p->size);
	assert_null(plan_check(copy, copy->size, 0));
	assert_string_equal(plan_string(copy, copy->process.cwd), "/");
}

/* Each row spoils one word of a good plan; the check must say no and name the place. */
static void test_spoiled_plans_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		uint32_t value;
		const char *words;
	} rows[] = {
		{ "magic", offsetof(struct plan, magic), 1, "another version" },
		{ "version", offsetof(struct plan, version), 99, "another version" },
		{ "size", offsetof(struct plan, size), 8, "another version" },
		{ "string behind the end", offsetof(struct plan, hostname), 1 << 20, "string at" },
		{ "no id", offsetof(struct plan, id), 0, "no id" },
		{ "no working directory", offsetof(struct plan, process.cwd), 0, "no id" },
		{ "no program", offsetof(struct plan, process.args.count), 0, "no id" },
		{ "list behind the end", offsetof(struct plan, mounts.at), 1 << 20, "mounts: list of" },
		{ "list in the header", offsetof(struct plan, mounts.at), 8, "mounts: list of" },
		{ "list not aligned", offsetof(struct plan, sysctls.at), 1001, "sysctls: list of" },
		{ "list too long", offsetof(struct plan, hooks_start.count), 1 << 28, "hooks_start: list of" },
		{ "count that wraps", offsetof(struct plan, mounts.count), UINT32_MAX, "mounts: list of" },
		{ "descriptor that did not come", offsetof(struct plan, fd_proc), 0, "descriptor 0 of 0" },
		{ "filter too long", offsetof(struct plan, seccomp.count), 5000, "seccomp" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_plan_builder struct plan_builder b;
		auto_str struct str text = STR_INIT(1024);

		fill(&b);
		/* Room for the filter that is too long by count alone. */
		char filler[48 * 1024] = "";
		str_add_bytes(&b.bytes, filler, sizeof filler);
		const struct plan *p = finished(&b);
		auto_free char *copy = malloc(p->size);
		memcpy(copy, p, p->size);
		memcpy(copy + rows[i].offset, &rows[i].value, sizeof rows[i].value);
		if (rows[i].offset == offsetof(struct plan, seccomp.count))
			((struct plan *)copy)->seccomp.at = ((struct plan *)copy)->mounts.at;
		auto_err err *e = plan_check(copy, p->size, 0);
		assert_non_null(e);
		err_format(e, &text);
		if (!strstr(text.data, rows[i].words))
			fail_msg("%s: %s", rows[i].name, text.data);
	}
}

static void test_spoiled_items_are_refused(void **state)
{
	auto_plan_builder struct plan_builder b;

	(void)state;
	fill(&b);
	const struct plan *p = finished(&b);
	auto_free char *copy = malloc(p->size);
	for (size_t offset = 0; offset < sizeof(struct plan_mount); offset += 4) {
		memcpy(copy, p, p->size);
		memset(copy + p->mounts.at + offset, 0xfe, 4);
		/* Whatever the word was: no crash, and what passes can be read. */
		auto_err err *e = plan_check(copy, p->size, 0);
		if (!e)
			continue;
		assert_int_equal(e->code, EINVAL);
	}
	memcpy(copy, p, p->size);
	struct plan_mount *m = (struct plan_mount *)(copy + p->mounts.at);
	m->type = 0;
	auto_err err *e = plan_check(copy, p->size, 0);
	assert_non_null(e);
}

static void test_a_cut_plan_is_refused(void **state)
{
	auto_plan_builder struct plan_builder b;

	(void)state;
	fill(&b);
	const struct plan *p = finished(&b);
	for (size_t len = 0; len < p->size; len += 7) {
		auto_err err *e = plan_check(p, len, 0);
		assert_non_null(e);
	}
}

static void test_a_plan_over_its_ceiling_is_an_error_not_a_crash(void **state)
{
	auto_plan_builder struct plan_builder b;
	auto_free char *big = malloc(PLAN_SIZE_MAX);
	const struct plan *p;

	(void)state;
	fill(&b);
	memset(big, 'x', PLAN_SIZE_MAX - 1);
	big[PLAN_SIZE_MAX - 1] = '\0';
	plan_add_text(&b, big);
	auto_err err *e = plan_finish(&b, &p);
	assert_non_null(e);
	assert_int_equal(e->code, EFBIG);
}

static void test_cpu_lists_become_masks(void **state)
{
	static const struct {
		const char *text;
		uint64_t first;
		size_t words; /* 0: refused */
	} rows[] = {
		{ "0", 1, 1 },       { "0-3,7", 0x8f, 1 }, { "63", 1ull << 63, 1 }, { "0,64", 1, 2 }, { "0, 2", 5, 1 },
		{ "", 0, 0 },        { "3-1", 0, 0 },      { "1,", 0, 0 },          { ",1", 0, 0 },
		{ "-1", 0, 0 },      { "a", 0, 0 },        { "1-", 0, 0 },          { "1 2", 0, 0 },
		{ "99999999", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		uint64_t *mask = NULL;
		size_t words = 0;

		assert_null(arena_new(1 << 20, &arena));
		auto_err err *e = plan_parse_list(arena, rows[i].text, &mask, &words);
		if (rows[i].words == 0 && *rows[i].text) {
			assert_non_null(e);
			continue;
		}
		assert_null(e);
		assert_int_equal(words, rows[i].words);
		if (words)
			assert_int_equal(mask[0], rows[i].first);
	}
}

/* The label goes to new file systems that take one, with the word that the annotation gives. */
static void test_the_mount_label_is_an_option_of_new_file_systems(void **state)
{
	static const struct {
		const char *type, *word, *option;
	} rows[] = {
		{ "tmpfs", NULL, "context=a:b:c:s0:c1,c2" },
		{ "tmpfs", "rootcontext", "rootcontext=a:b:c:s0:c1,c2" },
		{ "proc", NULL, NULL },
		{ "sysfs", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		auto_plan_builder struct plan_builder b;
		struct oci_mount mount = { .destination = "/x", .type = rows[i].type, .source = "x" };
		struct string_pair pair = { "run.oci.mount_context_type", rows[i].word };
		struct namespaces ns = NAMESPACES_INIT;
		struct oci_config config = { .mounts = { &mount, 1 }, .annotations = { &pair, rows[i].word ? 1 : 0 } };
		struct plan_source source = { .config = &config, .namespaces = &ns, .cgroup_fd = -1 };

		config.linux.mount_label = "a:b:c:s0:c1,c2";
		assert_ok(arena_new(1 << 20, &arena));
		source.arena = arena;
		fill(&b);
		/* As where SELinux is on. */
		b.plan.mount_label = plan_add_text(&b, config.linux.mount_label);
		assert_ok(plan_mounts(&b, &source));
		const struct plan *p = finished(&b);
		const struct plan_mount *m = plan_items(p, p->mounts);
		const plan_text *options = plan_items(p, m->options);
		assert_int_equal(m->options.count, rows[i].option ? 1 : 0);
		if (rows[i].option)
			assert_string_equal(plan_string(p, options[0]), rows[i].option);
		pair.value = "label";
		if (rows[i].word)
			assert_err(plan_mounts(&b, &source), "mounts[0]: mount 'tmpfs' on '/x': annotations.run.oci.mount_context_type: 'label' is not "
							     "one of context|fscontext|defcontext|rootcontext");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_mount_label_is_an_option_of_new_file_systems),
		cmocka_unit_test(test_what_was_written_is_read_back),
		cmocka_unit_test(test_a_plan_can_be_moved_in_memory),
		cmocka_unit_test(test_room_for_a_large_list_is_the_arenas),
		cmocka_unit_test(test_spoiled_plans_are_refused),
		cmocka_unit_test(test_spoiled_items_are_refused),
		cmocka_unit_test(test_a_cut_plan_is_refused),
		cmocka_unit_test(test_a_plan_over_its_ceiling_is_an_error_not_a_crash),
		cmocka_unit_test(test_cpu_lists_become_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
