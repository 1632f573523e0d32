/* base/cli.h: command lines declared as tables.
 *
 * One table gives parsing, usage errors, --help, the man page's OPTIONS and shell completion.
 *
 *	struct kill_args { bool all; uint64_t timeout; const char *format; };
 *	#define OPT_STRUCT struct kill_args
 *	static const struct cli_option kill_options[] = {
 *		OPT('a', "all",     CLI_FLAG,    all,     NULL,        "signal every process in the container"),
 *		OPT('t', "timeout", CLI_SECONDS, timeout, "SECONDS",   "then send KILL to what is left"),
 *		OPT(0,   "format",  CLI_CHOICE,  format,  "text|json", "how to print the result"),
 *		{0}
 *	};
 *	const struct cli_command cmd_kill = {
 *		.name = "kill", .operands = "ID [SIGNAL]", .summary = "Send a signal to a container",
 *		.example = "stube-runtime kill web TERM", .options = kill_options,
 *		.args_size = sizeof(struct kill_args), .min = 1, .max = 2, .run = kill_run,
 *	};
 *
 * GNU conventions: --long=VALUE, --long VALUE, -s VALUE, -sVALUE, bundled flags, "--" ends options,
 * options and operands may be mixed unless .stop_at_operand is set (run, exec: the rest belongs to
 * the container's command). A repeated option: the last wins, CLI_LIST collects. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/strv.h"

/* Exit statuses of every program; `run` and `exec` pass on the container's status. */
enum cli_status {
	CLI_OK = 0,
	CLI_FAILURE = 1,
	CLI_USAGE = 2,
};

enum cli_kind {
	CLI_FLAG,     /* bool; no argument; --no-NAME is not implied */
	CLI_STRING,   /* const char * */
	CLI_CHOICE,   /* const char *, one of those that .argument lists with '|' */
	CLI_UINT,     /* uint64_t */
	CLI_INT,      /* int64_t */
	CLI_SECONDS,  /* int64_t, nanoseconds: "10", "1m30s", "250ms" (base/clock.h) */
	CLI_SIZE,     /* uint64_t, bytes: "512", "64k", "1.5G" (powers of 1024) */
	CLI_LIST,     /* struct strv; may be given many times */
	CLI_OPTIONAL, /* const char *; the argument only as --long=VALUE; "" without one */
	CLI_HEADING,  /* no option: .help is a heading in --help and in the man page */
};

struct cli_option {
	char short_name; /* 0: none */
	const char *long_name;
	enum cli_kind kind;
	size_t offset, size; /* of the member in the arguments struct */
	const char *argument; /* "SECONDS", or the choices "text|json" */
	const char *help;     /* one line, lower case, no full stop */
	bool hidden;          /* accepted for callers' sake; not shown */
};

#define OPT(short_, long_, kind_, member_, argument_, help_)                                       \
	{ short_, long_, kind_, offsetof(OPT_STRUCT, member_), sizeof(((OPT_STRUCT *)0)->member_), \
	  argument_, help_, false }
#define OPT_HIDDEN(short_, long_, kind_, member_, argument_, help_)                                \
	{ short_, long_, kind_, offsetof(OPT_STRUCT, member_), sizeof(((OPT_STRUCT *)0)->member_), \
	  argument_, help_, true }
#define OPT_HEADING(text) { .kind = CLI_HEADING, .help = text }

struct cli_context {
	const void *args;         /* the command's struct, filled */
	const void *globals;      /* the program's struct, filled */
	char **operands;          /* ends with NULL */
	size_t operand_count;
};

struct cli_command {
	const char *name;
	const char *group;    /* heading of --help that begins with this command: "Commands for images"; or NULL */
	const char *operands; /* "ID [SIGNAL]" for the usage line */
	const char *summary;  /* one line, first letter upper case, no full stop */
	const char *example;  /* one or more lines, each a command that works */
	/* What the options' lines cannot say, or NULL: lines of at most 80 columns behind the options; an empty
	 * line between paragraphs; lines that begin with a blank are shown as they are, such as tables. */
	const char *notes;
	const struct cli_option *options;
	size_t args_size;
	size_t min, max; /* operands; max SIZE_MAX: any number */
	bool stop_at_operand;
	/* Set defaults before parsing, or NULL: all bytes zero. */
	void (*defaults)(void *args);
	/* *ret_status is CLI_OK before the call; an error becomes CLI_FAILURE unless it was set. */
	err *(*run)(const struct cli_context *c, int *ret_status);
	const struct cli_command *const *subcommands; /* "image pack": ends with NULL; then no .run */
	bool hidden;
};

/* A line of the man page's ENVIRONMENT or FILES; text without full stop. */
struct cli_entry {
	const char *name, *text;
};

struct cli_program {
	const char *name;    /* "stube-runtime" */
	const char *summary;
	const char *example;
	const struct cli_entry *environment, *files; /* each ends with an entry without name; or NULL */
	const struct cli_option *options; /* before the command */
	size_t globals_size;
	const struct cli_command *const *commands; /* ends with NULL; or NULL and .main below */
	const struct cli_command *main; /* a program without commands: its operands, options, run */
	/* After the global options, before the command: opens the log. May be NULL. */
	err *(*setup)(const void *globals);
	/* Also what programs in Go (flag) and of GNU (argp) take: -long, --s, -s=VALUE; -?, -V, --usage, `h`.
	 * The whole name of a long option behind one dash goes before short ones: -user is --user, not -u
	 * ser. */
	bool peers_words;
	void (*version)(void); /* prints for --version; NULL: "NAME version VERSION" */
	/* Prints an error that ended the program; NULL: "error: TEXT" and the hint on stderr. */
	void (*report)(const err *e);
};

/* Parse, run, report. Returns the exit status. Also answers, for every program:
 * --help, -h, `help COMMAND`, --version, and hidden: --print-man, --print-completion. */
int cli_main(const struct cli_program *program, int argc, char **argv);

/* Set by the Makefile. */
extern const char stube_version[];

/* Whether stdout, stderr may carry colour and progress: a terminal, and no NO_COLOR, TERM=dumb. */
bool cli_is_terminal(int fd);

/* A table for people: columns padded to their widest cell. Cells are copied. */
struct cli_table;
err *cli_table_new(const char *const *headings, struct cli_table **ret) MUST_CHECK;
void cli_table_row(struct cli_table *t, const char *const *cells); /* as many as headings */
err *cli_table_print(struct cli_table *t, int fd) MUST_CHECK;
void cli_table_free(struct cli_table *t);
DEFINE_CLEANUP(struct cli_table *, cli_table_free)
#define auto_cli_table CLEANUP(cli_table_free)

/* "1.5 MB" in powers of 1000, as registries show sizes. */
const char *cli_size_text(uint64_t bytes, char buf[static 16]);
