/* base/log.c: records of a fixed message and fields, as text, as JSON, or to the journal. */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"

#define RECORD_MAX (64 * 1024)
#define LABELS_MAX 4

struct pair {
	const char *key, *value;
};

/* The log is the one thing of which a process has exactly one. */
static struct {
	int fd;
	bool owned;
	int journal, syslog;
	char identifier[64];
	enum log_format format;
	enum log_level level;
	struct pair labels[LABELS_MAX];
	size_t label_count;
} state = { .fd = STDERR_FILENO, .journal = -1, .syslog = -1, .level = LOG_LEVEL_WARNING };

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_close(void)
{
	if (state.owned)
		fd_close(state.fd);
	fd_clear(&state.journal);
	fd_clear(&state.syslog);
	state.fd = STDERR_FILENO;
	state.owned = false;
	state.label_count = 0;
}

/* A datagram socket of the host's log, under this identifier. */
static err *open_datagrams(const char *path, const char *identifier, int *ret_fd)
{
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		return err_errno("connect to the log '%s'", path);
	snprintf(state.identifier, sizeof state.identifier, "%s", *identifier ? identifier : "stube");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *log_open(const char *target, enum log_format format, enum log_level level)
{
	log_close();
	state.format = format;
	state.level = level;
	if (!target || strcmp(target, "-") == 0)
		return NULL;
	if (str_starts_with(target, "journald:"))
		return open_datagrams("/run/systemd/journal/socket", target + strlen("journald:"),
				      &state.journal);
	if (str_starts_with(target, "syslog:"))
		return open_datagrams("/dev/log", target + strlen("syslog:"), &state.syslog);
	/* "file:" as crun(1) writes it. */
	const char *path = str_starts_with(target, "file:") ? target + strlen("file:") : target;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return err_errno("open log '%s'", path);
	state.fd = fd;
	state.owned = true;
	return NULL;
}

void log_label(const char *key, const char *value)
{
	for (size_t i = 0; i < state.label_count; i++) {
		if (strcmp(state.labels[i].key, key) != 0)
			continue;
		state.labels[i].value = value;
		return;
	}
	if (state.label_count < LABELS_MAX)
		state.labels[state.label_count++] = (struct pair){ key, value };
}

int log_fd(void)
{
	return state.journal >= 0 || state.syslog >= 0 ? -1 : state.fd;
}

enum log_level log_level(void)
{
	return state.level;
}

enum log_format log_format(void)
{
	return state.format;
}

/* Text from outside must not break a line or reach a terminal's interpreter. */
/* logfmt: quoted when a reader could not tell where the value ends. */
static void add_value(struct str *out, const char *value)
{
	if (*value && !value[strcspn(value, " \t\n\"=\\")])
		str_add_shown(out, value);
	else
		json_quote(out, value);
}

static void print_text(struct str *out, enum log_level level, const char *message,
		       const struct pair *pairs, size_t count)
{
	char time[CLOCK_TEXT_MAX];

	if (!isatty(state.fd) && state.owned)
		str_addf(out, "%s ", clock_text(clock_real(), false, time));
	str_addf(out, "%s: ", level_names[level]);
	str_add_shown(out, message);
	for (size_t i = 0; i < count; i++) {
		str_addf(out, " %s=", pairs[i].key);
		add_value(out, pairs[i].value);
	}
	str_add_char(out, '\n');
}

static void print_json(struct str *out, enum log_level level, const char *message,
		       const struct pair *pairs, size_t count)
{
	struct json_writer w = JSON_WRITER(out, 0);
	char time[CLOCK_TEXT_MAX];

	json_begin_object(&w);
	json_member_string(&w, "level", level_names[level]);
	json_member_string(&w, "msg", message);
	json_member_string(&w, "time", clock_text(clock_real(), false, time));
	for (size_t i = 0; i < count; i++)
		json_member_string(&w, pairs[i].key, pairs[i].value);
	json_end_object(&w);
	str_add_char(out, '\n');
}

/* One field of systemd's native journal protocol; a value with a line end needs its length. */
static void journal_field(struct str *out, const char *key, const char *value)
{
	uint64_t len = strlen(value);

	for (const char *p = key; *p; p++)
		str_add_char(out, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
	if (strchr(value, '\n')) {
		unsigned char bytes[8];

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (unsigned char)(len >> (8 * i));
		str_add_char(out, '\n');
		str_add_bytes(out, bytes, sizeof bytes);
	} else {
		str_add_char(out, '=');
	}
	str_add(out, value);
	str_add_char(out, '\n');
}

static void print_journal(struct str *out, enum log_level level, const char *message,
			  const struct pair *pairs, size_t count)
{
	static const char *const priorities[] = { "3", "4", "6", "7" };

	journal_field(out, "MESSAGE", message);
	journal_field(out, "PRIORITY", priorities[level]);
	journal_field(out, "SYSLOG_IDENTIFIER", state.identifier);
	for (size_t i = 0; i < count; i++)
		journal_field(out, pairs[i].key, pairs[i].value);
}

/* As syslog(3) writes it: facility "daemon", no time, which the receiver adds. */
static void print_syslog(struct str *out, enum log_level level, const char *message, const struct pair *pairs,
			 size_t count)
{
	static const int severities[] = { 3, 4, 6, 7 };

	str_addf(out, "<%d>%s[%d]: ", 3 << 3 | severities[level], state.identifier, getpid());
	str_add_shown(out, message);
	for (size_t i = 0; i < count; i++) {
		str_addf(out, " %s=", pairs[i].key);
		add_value(out, pairs[i].value);
	}
}

static void emit(enum log_level level, const char *message, const struct pair *pairs, size_t count)
{
	auto_str struct str out = STR_INIT(RECORD_MAX);
	int saved = errno;

	if (state.journal >= 0) {
		print_journal(&out, level, message, pairs, count);
		IGNORE(fd_write_all(state.journal, out.data, out.len));
	} else if (state.syslog >= 0) {
		print_syslog(&out, level, message, pairs, count);
		IGNORE(fd_write_all(state.syslog, out.data, out.len));
	} else {
		(state.format == LOG_FORMAT_JSON ? print_json : print_text)(&out, level, message, pairs, count);
		IGNORE(fd_write_all(state.fd, out.data, out.len));
	}
	errno = saved;
}

static void record(enum log_level level, const char *message, va_list ap)
{
	struct pair pairs[32];
	size_t count = 0;

	if (level > state.level)
		return;
	for (; count < state.label_count; count++)
		pairs[count] = state.labels[count];
	for (const char *key; count < ARRAY_LEN(pairs) && (key = va_arg(ap, const char *));) {
		const char *value = va_arg(ap, const char *);

		if (value)
			pairs[count++] = (struct pair){ key, value };
	}
	emit(level, message, pairs, count);
}

#define DEFINE_LOG(name, level)                                                                    \
	void log_##name(const char *message, ...)                                                  \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, message);                                                             \
		record(level, message, ap);                                                        \
		va_end(ap);                                                                        \
	}

DEFINE_LOG(error, LOG_LEVEL_ERROR)
DEFINE_LOG(warning, LOG_LEVEL_WARNING)
DEFINE_LOG(info, LOG_LEVEL_INFO)
DEFINE_LOG(debug, LOG_LEVEL_DEBUG)

void log_err(const err *e)
{
	auto_str struct str text = STR_INIT(RECORD_MAX / 2);

	err_format(e, &text);
	const char *hint = err_first_hint(e);
	log_error(text.data, hint ? "hint" : (const char *)NULL, hint, NULL);
}
