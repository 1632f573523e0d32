/* base/cli.c: parsing of command lines by table. */
#include "base/cli.h"

#include <math.h>
#include <unistd.h>

#include "base/cli-internal.h"
#include "base/clock.h"
#include "base/fd.h"

#define LIST_MAX 4096 /* values of one CLI_LIST option */

bool cli_is_end(const struct cli_option *o)
{
	return !o || (!o->long_name && !o->short_name && o->kind != CLI_HEADING);
}

bool cli_takes_argument(const struct cli_option *o)
{
	return o->kind != CLI_FLAG && o->kind != CLI_OPTIONAL && o->kind != CLI_HEADING;
}

void cli_path_text(const struct cli_path *path, struct str *out)
{
	str_add(out, path->program->name);
	for (size_t i = 0; i < path->depth; i++)
		str_addf(out, " %s", path->commands[i]->name);
}

/* --- values ---------------------------------------------------------------------------------- */

static bool parse_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "kmgtpe";
	char *end = NULL;

	if (*text < '0' || *text > '9')
		return false;
	if (str_to_u64(text, ret))
		return true;
	double number = strtod(text, &end);
	const char *suffix = *end ? strchr(suffixes, *end | 0x20) : NULL;
	if (!suffix)
		return false;
	end++;
	if (*end == 'i' && (end[1] | 0x20) == 'b')
		end += 2;
	else if ((*end | 0x20) == 'b')
		end++;
	number = ldexp(number, 10 * (int)(suffix - suffixes + 1));
	if (*end || !isfinite(number) || number >= 18446744073709551616.0)
		return false;
	*ret = (uint64_t)number;
	return true;
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = choices; len > 0 && *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		if (n == len && strncmp(p, value, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static err *bad(const struct cli_option *o, const char *value, const char *reason)
{
	if (o->long_name)
		return err_new(EINVAL, "--%s: '%s' %s", o->long_name, value, reason);
	return err_new(EINVAL, "-%c: '%s' %s", o->short_name, value, reason);
}

static err *store_list(const struct cli_option *o, const char *value, struct strv *list)
{
	if (list->max == 0)
		list->max = LIST_MAX;
	strv_add(list, value);
	return err_wrap(strv_check(list), "--%s", o->long_name);
}

/* "true", "1", "F": what Go's strconv.ParseBool takes. */
static err *store_flag(const struct cli_option *o, const char *value, bool *ret)
{
	static const char *const words[] = { "false", "False", "FALSE", "f", "F", "0",
					     "true",  "True",  "TRUE",	"t", "T", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i]) != 0)
			continue;
		*ret = i >= ARRAY_LEN(words) / 2;
		return NULL;
	}
	return bad(o, value, "is not one of true|false");
}

static err *store(const struct cli_option *o, const char *value, void *args)
{
	void *member = (char *)args + o->offset;
	char reason[256];

	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)member = true;
		return NULL;
	case CLI_STRING:
	case CLI_OPTIONAL:
		*(const char **)member = value;
		return NULL;
	case CLI_CHOICE:
		snprintf(reason, sizeof reason, "is not one of %s", o->argument);
		if (!is_choice(o->argument, value))
			return bad(o, value, reason);
		*(const char **)member = value;
		return NULL;
	case CLI_UINT:
		return str_to_u64(value, member) ? NULL : bad(o, value, "is not a whole number");
	case CLI_INT:
		return str_to_i64(value, member) ? NULL : bad(o, value, "is not a whole number");
	case CLI_SECONDS:
		return clock_parse_duration(value, member) ? NULL :
			bad(o, value, "is not a time such as 10, 1m30s or 250ms");
	case CLI_SIZE:
		return parse_size(value, member) ? NULL : bad(o, value, "is not a size such as 512, 64k or 1.5G");
	case CLI_LIST:
		return store_list(o, value, member);
	case CLI_HEADING:
		break;
	}
	return err_new(EINVAL, "option without a kind");
}

static void free_lists(const struct cli_option *options, void *args)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (o->kind == CLI_LIST)
			strv_done((struct strv *)(void *)((char *)args + o->offset));
}

/* --- words ----------------------------------------------------------------------------------- */

struct parse {
	const struct cli_option *options;
	void *args;
	char **argv; /* rest of the words */
	bool stop_at_operand;
	bool help, version;
	char **operands;
	size_t operand_count;
};

static const struct cli_option *find_long(const struct cli_option *options, const char *name, size_t len)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (o->long_name && strlen(o->long_name) == len && strncmp(o->long_name, name, len) == 0)
			return o;
	return NULL;
}

static const struct cli_option *find_short(const struct cli_option *options, char c)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (o->short_name == c && o->kind != CLI_HEADING)
			return o;
	return NULL;
}

static err *parse_long(struct parse *p, const char *word)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct cli_option *o = find_long(p->options, name, len);

	if (!o && strcmp(name, "help") == 0) {
		p->help = true;
		return NULL;
	}
	if (!o && strcmp(name, "version") == 0) {
		p->version = true;
		return NULL;
	}
	if (!o)
		return err_new(EINVAL, "unknown option '--%.*s'", (int)len, name);
	/* As Go programs' callers write them. */
	if (o->kind == CLI_FLAG && value) {
		return store_flag(o, value, (bool *)(void *)((char *)p->args + o->offset));
	}
	if (o->kind == CLI_OPTIONAL)
		return store(o, value ? value : "", p->args);
	if (cli_takes_argument(o) && !value) {
		/* In these words podman recognises which options a runtime has. */
		if (!*p->argv)
			return err_new(EINVAL, "--%s: requires an argument, %s", o->long_name, o->argument);
		value = *p->argv++;
	}
	return store(o, value, p->args);
}

static err *parse_short(struct parse *p, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		const struct cli_option *o = find_short(p->options, *c);

		if (!o && (*c == 'h' || *c == 'v')) {
			*(*c == 'h' ? &p->help : &p->version) = true;
			continue;
		}
		if (!o)
			return err_new(EINVAL, "unknown option '-%c'", *c);
		if (!cli_takes_argument(o)) {
			TRY(store(o, o->kind == CLI_OPTIONAL ? "" : NULL, p->args));
			continue;
		}
		const char *value = c[1] ? c + 1 : *p->argv ? *p->argv++ : NULL;
		if (!value)
			return err_new(EINVAL, "-%c: requires an argument, %s", *c, o->argument);
		return store(o, value, p->args);
	}
	return NULL;
}

static err *parse_words(struct parse *p)
{
	bool options_ended = false;

	while (*p->argv) {
		char *word = *p->argv++;

		if (options_ended || word[0] != '-' || !word[1]) {
			p->operands[p->operand_count++] = word;
			if (p->stop_at_operand)
				options_ended = true;
		} else if (strcmp(word, "--") == 0) {
			options_ended = true;
		} else {
			TRY(word[1] == '-' ? parse_long(p, word) : parse_short(p, word));
		}
		if (p->help || p->version)
			break;
	}
	return NULL;
}

/* --- programs -------------------------------------------------------------------------------- */

static void default_report(const err *e)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	bool colour = cli_is_terminal(STDERR_FILENO);

	str_add(&text, colour ? "\x1b[1;31merror:\x1b[0m " : "error: ");
	err_format(e, &text);
	str_add_char(&text, '\n');
	if (err_first_hint(e))
		str_addf(&text, "hint: %s\n", err_first_hint(e));
	IGNORE(fd_write_all(STDERR_FILENO, text.data, text.len));
}

static void report(const struct cli_program *program, const err *e)
{
	(program->report ? program->report : default_report)(e);
}

static int usage_error(const struct cli_path *path, err *e)
{
	auto_str struct str command = STR_INIT(4096);

	cli_path_text(path, &command);
	auto_err err *hinted = err_hint(e, "see '%s --help'", command.data);
	report(path->program, hinted);
	return CLI_USAGE;
}

static int print(struct str *text)
{
	err *e = str_check(text);

	if (!e)
		e = fd_write_all(STDOUT_FILENO, text->data, text->len);
	if (!e)
		return CLI_OK;
	default_report(e);
	err_free(e);
	return CLI_FAILURE;
}

static int print_help(const struct cli_path *path)
{
	auto_str struct str text = STR_INIT(1 << 20);

	cli_print_help(path, &text);
	return print(&text);
}

static int print_version(const struct cli_program *program)
{
	if (program->version) {
		program->version();
		return CLI_OK;
	}
	auto_str struct str text = STR_INIT(4096);
	str_addf(&text, "%s version %s\n", program->name, stube_version);
	return print(&text);
}

static int print_document(const struct cli_program *program,
			  void (*printer)(const struct cli_program *, struct str *))
{
	auto_str struct str text = STR_INIT(4 << 20);

	printer(program, &text);
	return print(&text);
}

static err *check_operands(const struct cli_command *command, size_t count)
{
	if (count < command->min)
		return err_new(EINVAL, "needs %s", command->operands);
	if (count > command->max)
		return command->operands ? err_new(EINVAL, "takes %s and no more", command->operands)
					 : err_new(EINVAL, "takes no operand");
	return NULL;
}

static int call(const struct cli_path *path, const struct cli_command *command, struct parse *p,
		const void *globals)
{
	struct cli_context context = {
		.args = p->args,
		.globals = globals,
		.operands = p->operands,
		.operand_count = p->operand_count,
	};
	int status = CLI_OK;
	auto_err err *e = command->run(&context, &status);

	if (e) {
		report(path->program, e);
		if (status == CLI_OK)
			status = CLI_FAILURE;
	}
	return status;
}

static size_t count_words(char **argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	return n;
}

static int run_command(struct cli_path *path, const struct cli_command *command, char **argv,
		       const void *globals)
{
	static const struct cli_option none[] = { { 0 } };
	auto_free void *args = calloc(1, command->args_size + 1);
	auto_free char **operands = calloc(count_words(argv) + 1, sizeof *operands);
	struct parse p = {
		.options = command->options ? command->options : none,
		.args = args,
		.argv = argv,
		.stop_at_operand = command->stop_at_operand,
		.operands = operands,
	};

	if (!args || !operands)
		return usage_error(path, err_oom());
	if (command->defaults)
		command->defaults(args);
	err *e = parse_words(&p);
	int status;
	if (p.help && !e)
		status = print_help(path);
	else if (p.version && !e)
		status = print_version(path->program);
	else if (e || (e = check_operands(command, p.operand_count)))
		status = usage_error(path, e);
	else
		status = call(path, command, &p, globals);
	free_lists(p.options, args);
	return status;
}

static const struct cli_command *find_command(const struct cli_command *const *commands, const char *name)
{
	for (; commands && *commands; commands++)
		if (strcmp((*commands)->name, name) == 0)
			return *commands;
	return NULL;
}

/* Follow the words to a command: "image pack". */
static int dispatch(struct cli_path *path, const struct cli_command *const *commands, char **argv,
		    const void *globals, bool help)
{
	if (!*argv || strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0) {
		if (*argv || help)
			return print_help(path);
		return usage_error(path, err_new(EINVAL, "needs a command"));
	}
	const struct cli_command *command = find_command(commands, *argv);
	if (!command && path->depth == 0 && strcmp(*argv, "help") == 0)
		return dispatch(path, commands, argv + 1, globals, true);
	if (!command)
		return usage_error(path, err_new(EINVAL, "unknown command '%s'", *argv));
	path->commands[path->depth++] = command;
	if (command->subcommands)
		return dispatch(path, command->subcommands, argv + 1, globals, help);
	return help ? print_help(path) : run_command(path, command, argv + 1, globals);
}

static int hidden_documents(const struct cli_program *program, char **argv, bool *ret_done)
{
	*ret_done = true;
	if (argv[1] && strcmp(argv[1], "--print-man") == 0)
		return print_document(program, cli_print_man);
	if (argv[1] && strcmp(argv[1], "--print-completion") == 0)
		return print_document(program, cli_print_completion);
	*ret_done = false;
	return CLI_OK;
}

static int run_program(struct cli_path *path, struct parse *globals, char **operands)
{
	const struct cli_program *program = path->program;
	err *e = parse_words(globals);

	if (e)
		return usage_error(path, e);
	if (globals->help)
		return print_help(path);
	if (globals->version)
		return print_version(program);
	e = program->setup ? program->setup(globals->args) : NULL;
	if (e) {
		report(program, e);
		err_free(e);
		return CLI_FAILURE;
	}
	return dispatch(path, program->commands, operands, globals->args, false);
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
	static const struct cli_option none[] = { { 0 } };
	struct cli_path path = { .program = program };
	bool done;
	int status = hidden_documents(program, argv, &done);

	if (done)
		return status;
	if (program->main)
		return run_command(&path, program->main, argv + 1, NULL);
	auto_free void *globals = calloc(1, program->globals_size + 1);
	auto_free char **operands = calloc((size_t)argc + 1, sizeof *operands);
	if (!globals || !operands)
		return CLI_FAILURE;
	struct parse p = {
		.options = program->options ? program->options : none,
		.args = globals,
		.argv = argv + 1,
		.stop_at_operand = true,
		.operands = operands,
	};
	status = run_program(&path, &p, operands);
	free_lists(p.options, globals);
	return status;
}

bool cli_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}
