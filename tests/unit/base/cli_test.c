/* tests/unit/base/cli_test.c: one option table parses, explains itself, and becomes man page and completion. */
#include "tests/unit/unit.h"

#include "base/cli-internal.h"

struct kill_args {
	bool all;
	int64_t timeout;
	const char *format, *colour;
	uint64_t size, count;
	int64_t nice;
	struct strv env;
};
#define OPT_STRUCT struct kill_args
static const struct cli_option kill_options[] = {
	OPT('a', "all", CLI_FLAG, all, NULL, "signal every process in the container"),
	OPT('t', "timeout", CLI_SECONDS, timeout, "SECONDS", "then send KILL to what is left"),
	OPT_HEADING("More"),
	OPT(0, "format", CLI_CHOICE, format, "text|json", "how to print the result"),
	OPT('e', "env", CLI_LIST, env, "NAME=VALUE", "set a variable"),
	OPT(0, "size", CLI_SIZE, size, "BYTES", "size"),
	OPT('n', "count", CLI_UINT, count, "N", "count"),
	OPT(0, "nice", CLI_INT, nice, "N", "nice"),
	OPT('c', "colour", CLI_OPTIONAL, colour, "WHEN", "colour"),
	OPT_HIDDEN(0, "secret", CLI_FLAG, all, NULL, "hidden"),
	{ 0 },
};

/* What the last run saw. */
static struct kill_args seen;
static char words[1000];
static char env[1000];

static void defaults(void *args)
{
	((struct kill_args *)args)->count = 7;
}

static err *kill_run(const struct cli_context *c, int *ret_status)
{
	const struct kill_args *args = c->args;

	seen = *args;
	words[0] = env[0] = '\0';
	for (size_t i = 0; i < c->operand_count; i++)
		snprintf(words + strlen(words), sizeof words - strlen(words), "%s|", c->operands[i]);
	for (size_t i = 0; i < args->env.count; i++)
		snprintf(env + strlen(env), sizeof env - strlen(env), "%s|", args->env.items[i]);
	if (c->operand_count && strcmp(c->operands[0], "fail") == 0)
		return err_new(EIO, "could not");
	if (c->operand_count && strcmp(c->operands[0], "pass") == 0)
		*ret_status = 42;
	return NULL;
}

static const struct cli_command cmd_kill = {
	.name = "kill", .operands = "ID [SIGNAL]", .summary = "Send a signal", .example = "prog kill web TERM",
	.options = kill_options, .args_size = sizeof(struct kill_args), .min = 1, .max = 2,
	.defaults = defaults, .run = kill_run,
};
static const struct cli_command cmd_run = {
	.notes = "First.\n\n.Second:\n  a   b\n  c-d\nThird. Fourth.", .name = "run", .operands = "IMAGE [COMMAND...]", .summary = "Run an image", .options = kill_options,
	.args_size = sizeof(struct kill_args), .min = 1, .max = SIZE_MAX, .stop_at_operand = true, .run = kill_run,
};
static const struct cli_command *const subcommands[] = { &cmd_run, NULL };
static const struct cli_command cmd_image = { .name = "image", .summary = "Work on images", .subcommands = subcommands };
static const struct cli_command *const commands[] = { &cmd_kill, &cmd_run, &cmd_image, NULL };

/* The last error that was reported. */
static char reported[1000];
static void report(const err *e)
{
	auto_str struct str text = STR_INIT(900);

	err_format(e, &text);
	snprintf(reported, sizeof reported, "%s", text.data);
}

static bool debug_seen;
struct globals {
	bool debug;
};
static err *prog_setup(const void *globals)
{
	debug_seen = ((const struct globals *)globals)->debug;
	return NULL;
}
#undef OPT_STRUCT
#define OPT_STRUCT struct globals
static const struct cli_option global_options[] = { OPT(0, "debug", CLI_FLAG, debug, NULL, "say more"), { 0 } };
static const struct cli_entry environment[] = { { "MY_DIR", "where it is" }, { 0 } };
static const struct cli_entry files[] = { { "/etc/my", "what it is" }, { 0 } };
static const struct cli_program program = {
	.environment = environment, .files = files, .name = "my-prog", .summary = "Does things", .example = "my-prog kill web", .options = global_options,
	.globals_size = sizeof(struct globals), .commands = commands, .setup = prog_setup, .report = report,
};

/* Run a program with words separated by spaces. */
static int run_program(const struct cli_program *which, const char *line)
{
	char text[1000], *argv[50] = { text }, *save = NULL;
	int argc = 0;

	snprintf(text, sizeof text, "my-prog %s", line);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	reported[0] = words[0] = env[0] = '\0';
	memset(&seen, 0, sizeof seen);
	return cli_main(which, argc, argv);
}

static int run(const char *line)
{
	return run_program(&program, line);
}

static void test_options_in_all_their_spellings(void **state)
{
	(void)state;
	assert_int_equal(run("--debug kill -a --timeout=1m30s web --format json -eA=1 --env B=2 -n3 TERM"), 0);
	assert_true(debug_seen);
	assert_true(seen.all);
	assert_true(seen.timeout == 90000000000);
	assert_string_equal(seen.format, "json");
	assert_string_equal(env, "A=1|B=2|");
	assert_int_equal(seen.count, 3);
	assert_string_equal(words, "web|TERM|");
	assert_int_equal(run("kill -at 5 web --nice -5 --colour --size 1.5k"), 0);
	assert_true(seen.all && seen.timeout == 5000000000 && seen.nice == -5 && seen.size == 1536);
	assert_string_equal(seen.colour, "");
	assert_int_equal(seen.count, 7);
	assert_int_equal(run("kill --all=false --colour=always -- -web"), 0);
	assert_false(seen.all);
	assert_string_equal(words, "-web|");
}

static void test_a_program_that_asks_for_it_takes_the_words_of_go_and_of_argp(void **state)
{
	struct cli_program peer = program;

	(void)state;
	peer.peers_words = true;
	assert_int_equal(run_program(&peer,
				     "-debug kill -all -timeout 5 -format=json -env A=B=C -nice -5 web"),
			 0);
	assert_true(debug_seen && seen.all && seen.timeout == 5000000000 && seen.nice == -5);
	assert_string_equal(seen.format, "json");
	assert_string_equal(env, "A=B=C|");
	assert_int_equal(run_program(&peer, "-debug=false kill -a=0 --t 5 --n=4 -e=A=B -colour=never web"),
			 0);
	assert_true(!debug_seen && !seen.all && seen.timeout == 5000000000 && seen.count == 4);
	assert_string_equal(seen.colour, "never");
	assert_string_equal(env, "A=B|");
	/* What is no whole name is short options, as ever. */
	assert_int_equal(run_program(&peer, "kill -at5 -n3 -eX=Y -- -web"), 0);
	assert_true(seen.all && seen.timeout == 5000000000 && seen.count == 3);
	assert_string_equal(words, "-web|");
	assert_int_equal(run_program(&peer, "run image -all"), 0);
	assert_string_equal(words, "image|-all|");
	for (const char *const *line = (const char *const[]){ "-?", "-V", "-help", "-version", "--usage",
							      "-usage", "h kill", "kill -?", "kill --usage",
							      "kill -help", "image -?", "kill --h", NULL };
	     *line; line++) {
		assert_int_equal(run_program(&peer, *line), 0);
		assert_string_equal(reported, "");
	}
	/* Nobody else takes them. */
	for (const char *const *line =
		     (const char *const[]){ "-?", "-V", "-debug", "--usage", "h kill", "kill -all web",
					    "kill --n=4 web", "kill -n=4 web", "image -?", NULL };
	     *line; line++)
		assert_int_equal(run(*line), 2);
}

static void test_a_choice_of_truths_takes_go_s_words_for_them(void **state)
{
	static const struct cli_option truth = { .long_name = "x",
						 .kind = CLI_CHOICE,
						 .argument = "true|false|auto" };
	static const struct cli_option other = { .long_name = "x",
						 .kind = CLI_CHOICE,
						 .argument = "on|false" };
	const char *value = NULL;

	(void)state;
	for (const char *const *word = (const char *const[]){ "1", "t", "TRUE", NULL }; *word; word++) {
		assert_ok(cli_store(&truth, *word, &value));
		assert_string_equal(value, "true");
	}
	assert_ok(cli_store(&truth, "F", &value));
	assert_string_equal(value, "false");
	assert_ok(cli_store(&truth, "auto", &value));
	assert_string_equal(value, "auto");
	assert_err(cli_store(&truth, "maybe", &value), "--x: 'maybe' is not one of true|false|auto");
	assert_err(cli_store(&other, "1", &value), "--x: '1' is not one of on|false");
}

static void test_words_behind_the_operand_belong_to_the_command(void **state)
{
	(void)state;
	assert_int_equal(run("run -a image ls -l --format=x -- y"), 0);
	assert_true(seen.all);
	assert_string_equal(words, "image|ls|-l|--format=x|--|y|");
	assert_int_equal(run("image run image -e"), 0);
	assert_string_equal(words, "image|-e|");
}

static void test_usage_errors_are_one_line_that_names_the_choices(void **state)
{
	(void)state;
	static const struct {
		const char *line, *error;
	} rows[] = {
		{ "", "needs a command" },
		{ "nonsense", "unknown command 'nonsense'" },
		{ "--nonsense kill x", "unknown option '--nonsense'" },
		{ "kill", "needs ID [SIGNAL]" },
		{ "kill a b c", "takes ID [SIGNAL] and no more" },
		{ "kill x --format xml", "--format: 'xml' is not one of text|json" },
		{ "kill x --format=", "--format: '' is not one of text|json" },
		{ "kill x --format tex", "--format: 'tex' is not one of text|json" },
		{ "kill x --format text|json", "--format: 'text|json' is not one of text|json" },
		{ "kill x --timeout soon", "--timeout: 'soon' is not a time such as 10, 1m30s or 250ms" },
		{ "kill x -n -1", "--count: '-1' is not a whole number" },
		{ "kill x --size 5x", "--size: '5x' is not a size such as 512, 64k or 1.5G" },
		{ "kill x --timeout", "--timeout: requires an argument, SECONDS" },
		{ "kill x -t", "-t: requires an argument, SECONDS" },
		{ "kill x -az", "unknown option '-z'" },
		{ "kill x --all=maybe", "--all: 'maybe' is not one of true|false" },
		{ "image nonsense", "unknown command 'nonsense'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(run(rows[i].line), CLI_USAGE);
		assert_string_equal(reported, rows[i].error);
	}
}

static void test_failures_and_passed_on_statuses(void **state)
{
	(void)state;
	assert_int_equal(run("kill fail"), CLI_FAILURE);
	assert_string_equal(reported, "could not");
	assert_int_equal(run("kill pass"), 42);
	assert_string_equal(reported, "");
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		uint64_t size;
	} rows[] = {
		{ "kill x --size 0", 0 }, { "kill x --size 18446744073709551615", UINT64_MAX },
		{ "kill x --size 64k", 65536 }, { "kill x --size 2G", 2147483648 }, { "kill x --size 1MiB", 1048576 },
		{ "kill x --size 1mb", 1048576 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(run(rows[i].line), 0);
		assert_true(seen.size == rows[i].size);
	}
	assert_int_equal(run("kill x --size 99999999999e"), CLI_USAGE);
	assert_int_equal(run("kill x --size inf"), CLI_USAGE);
	assert_int_equal(run("kill x --size -1"), CLI_USAGE);
}

static void test_help_is_printed_from_the_table(void **state)
{
	(void)state;
	auto_str struct str out = STR_INIT(10000);
	struct cli_path path = { .program = &program, .commands = { &cmd_kill }, .depth = 1 };

	cli_print_help(&path, &out);
	assert_string_equal(out.data, "Send a signal.\n\n"
				      "Usage: my-prog kill [OPTIONS] ID [SIGNAL]\n\n"
				      "Options:\n"
				      "  -a, --all               signal every process in the container\n"
				      "  -t, --timeout SECONDS   then send KILL to what is left\n"
				      "\nMore:\n"
				      "      --format text|json  how to print the result\n"
				      "  -e, --env NAME=VALUE    set a variable\n"
				      "      --size BYTES        size\n"
				      "  -n, --count N           count\n"
				      "      --nice N            nice\n"
				      "  -c, --colour[=WHEN]     colour\n"
				      "\nExample:\n"
				      "  prog kill web TERM\n");
}

static void test_program_help_lists_its_commands(void **state)
{
	(void)state;
	auto_str struct str out = STR_INIT(10000);
	struct cli_path path = { .program = &program };

	cli_print_help(&path, &out);
	assert_non_null(strstr(out.data, "Usage: my-prog [OPTIONS] COMMAND\n\nCommands:\n"
					 "  kill   Send a signal\n  run    Run an image\n  image  Work on images\n"));
}

static void test_notes_stand_behind_the_options_in_help_and_man_page(void **state)
{
	(void)state;
	auto_str struct str help = STR_INIT(10000), man = STR_INIT(100000);
	struct cli_path path = { .program = &program, .commands = { &cmd_run }, .depth = 1 };

	cli_print_help(&path, &help);
	assert_non_null(strstr(help.data, "  colour\n\nFirst.\n\n.Second:\n  a   b\n  c-d\nThird. Fourth.\n"));
	cli_print_man(&program, &man);
	assert_non_null(strstr(man.data, ".El\n.Pp\nFirst.\n.Pp\n\\&.Second:\n.Bd -literal\n  a   b\n  c\\-d\n.Ed\nThird.\nFourth.\n"));
	assert_non_null(strstr(man.data, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev MY_DIR\nwhere it is.\n.El\n"));
	assert_non_null(strstr(man.data, ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/my\nwhat it is.\n.El\n"));
}

static void test_man_page_and_completion_know_every_option(void **state)
{
	(void)state;
	auto_str struct str man = STR_INIT(100000), completion = STR_INIT(100000);

	cli_print_man(&program, &man);
	cli_print_completion(&program, &completion);
	assert_non_null(strstr(man.data, ".Ss image run\n"));
	for (const struct cli_option *o = kill_options; !cli_is_end(o); o++) {
		char fl[64], word[64];

		if (o->kind == CLI_HEADING)
			continue;
		snprintf(fl, sizeof fl, "Fl \\-%s", o->long_name);
		snprintf(word, sizeof word, " --%s ", o->long_name);
		assert_int_equal(strstr(man.data, fl) != NULL, !o->hidden);
		assert_int_equal(strstr(completion.data, word) != NULL, !o->hidden);
	}
	assert_non_null(strstr(completion.data, "--format) words=\"text json\""));
}

static void test_members_fit_their_kinds(void **state)
{
	(void)state;
	static const size_t sizes[] = {
		[CLI_FLAG] = sizeof(bool), [CLI_STRING] = sizeof(char *), [CLI_CHOICE] = sizeof(char *),
		[CLI_UINT] = 8, [CLI_INT] = 8, [CLI_SECONDS] = 8, [CLI_SIZE] = 8, [CLI_LIST] = sizeof(struct strv),
		[CLI_OPTIONAL] = sizeof(char *),
	};

	for (const struct cli_option *o = kill_options; !cli_is_end(o); o++)
		assert_int_equal(o->kind == CLI_HEADING ? 0u : sizes[o->kind], o->size);
}

static void test_sizes_for_people(void **state)
{
	(void)state;
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" }, { 999, "999 B" }, { 1000, "1.0 kB" }, { 9940, "9.9 kB" }, { 9960, "10 kB" },
		{ 217000000, "217 MB" }, { 999999999, "1.0 GB" }, { UINT64_MAX, "18 EB" },
	};
	char text[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(cli_size_text(rows[i].bytes, text), rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_in_all_their_spellings),
		cmocka_unit_test(test_a_program_that_asks_for_it_takes_the_words_of_go_and_of_argp),
		cmocka_unit_test(test_a_choice_of_truths_takes_go_s_words_for_them),
		cmocka_unit_test(test_words_behind_the_operand_belong_to_the_command),
		cmocka_unit_test(test_usage_errors_are_one_line_that_names_the_choices),
		cmocka_unit_test(test_failures_and_passed_on_statuses),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_help_is_printed_from_the_table),
		cmocka_unit_test(test_program_help_lists_its_commands),
		cmocka_unit_test(test_notes_stand_behind_the_options_in_help_and_man_page),
		cmocka_unit_test(test_man_page_and_completion_know_every_option),
		cmocka_unit_test(test_members_fit_their_kinds),
		cmocka_unit_test(test_sizes_for_people),
	};

	return cmocka_run_group_tests_name("base/cli", tests, NULL, NULL);
}
