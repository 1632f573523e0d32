/* runtime/signals.c: signals by name and number. */
#include "runtime/signals.h"

#include <signal.h>
#include <stdint.h>
#include <strings.h>

#include "base/str.h"

/* The kernel's own ends of the real-time range: glibc keeps two for itself, others' programs do not. */
enum { RT_FIRST = 34, RT_LAST = 64 };

/* clang-format off */
static const struct {
	const char *name;
	int number;
} names[] = {
	{ "HUP",  SIGHUP },  { "INT",    SIGINT },    { "QUIT", SIGQUIT }, { "ILL",    SIGILL },
	{ "TRAP", SIGTRAP }, { "ABRT",   SIGABRT },   { "BUS",  SIGBUS },  { "FPE",    SIGFPE },
	{ "KILL", SIGKILL }, { "USR1",   SIGUSR1 },   { "SEGV", SIGSEGV }, { "USR2",   SIGUSR2 },
	{ "PIPE", SIGPIPE }, { "ALRM",   SIGALRM },   { "TERM", SIGTERM }, { "STKFLT", SIGSTKFLT },
	{ "CHLD", SIGCHLD }, { "CONT",   SIGCONT },   { "STOP", SIGSTOP }, { "TSTP",   SIGTSTP },
	{ "TTIN", SIGTTIN }, { "TTOU",   SIGTTOU },   { "URG",  SIGURG },  { "XCPU",   SIGXCPU },
	{ "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH",  SIGWINCH },
	{ "POLL", SIGPOLL }, { "PWR",    SIGPWR },    { "SYS",  SIGSYS },
	/* second names */
	{ "CLD",  SIGCHLD }, { "IOT",    SIGABRT },   { "IO",   SIGIO },   { "UNUSED", SIGSYS },
};
/* clang-format on */

static bool parse_real_time(const char *name, int *ret)
{
	bool last = strncasecmp(name, "RTMAX", 5) == 0;
	uint64_t offset = 0;

	if (!last && strncasecmp(name, "RTMIN", 5) != 0)
		return false;
	if (name[5] && (name[5] != (last ? '-' : '+') || !str_to_u64(name + 6, &offset)))
		return false;
	if (offset > RT_LAST - RT_FIRST)
		return false;
	*ret = last ? RT_LAST - (int)offset : RT_FIRST + (int)offset;
	return true;
}

static bool parse_name(const char *name, int *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(names[i].name, name) == 0) {
			*ret = names[i].number;
			return true;
		}
	}
	return parse_real_time(name, ret);
}

err *signal_parse(const char *text, int *ret)
{
	uint64_t number;

	if (str_to_u64(text, &number)) {
		if (number > RT_LAST)
			return err_new(EINVAL, "unknown signal '%s'", text);
		*ret = (int)number;
		return NULL;
	}
	if (parse_name(strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text, ret))
		return NULL;
	return err_new(EINVAL, "unknown signal '%s'", text);
}
