/* monitor/exit.c: exit records as JSON. */
#include "monitor/exit.h"

#include <sys/wait.h>

#include "base/clock.h"
#include "base/decode.h"
#include "base/file.h"

static const struct type t_code = UINT_RANGE("exit code", uint32_t, 0, 255);
static const struct type t_signal = UINT_RANGE("signal", uint32_t, 0, 64);
static const struct type t_version = UINT_RANGE("version", uint32_t, 1, EXIT_RECORD_VERSION);
static const struct type t_time = INT_RANGE("time", int64_t, 0, INT64_MAX);

/* clang-format off */
static const struct field fields[] = {
	FIELD(struct exit_record, "version",  version,  t_version, REQUIRED, NULL),
	FIELD(struct exit_record, "started",  started,  t_time,    0, NULL),
	FIELD(struct exit_record, "finished", finished, t_time,    REQUIRED, NULL),
	FIELD(struct exit_record, "code",     code,     t_code,    REQUIRED, NULL),
	FIELD(struct exit_record, "signal",   signal,   t_signal,  OMIT_ZERO, NULL),
	FIELD(struct exit_record, "known",    known,    t_bool,    0, "true"),
	FIELD(struct exit_record, "oom",      oom,      t_bool,    OMIT_ZERO, NULL),
	FIELD(struct exit_record, "reason",   reason,   t_string,  0, NULL),
	FIELD(struct exit_record, "logLost",  log_lost, t_u64,     OMIT_ZERO, NULL),
	{0}
};
/* clang-format on */
static const struct type t_record = OBJECT("exit record", struct exit_record, fields);

void exit_record_status(struct exit_record *r, int status)
{
	r->known = true;
	r->signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
	r->code = r->signal ? 128 + r->signal : (uint32_t)WEXITSTATUS(status);
}

err *exit_record_write(int dir_fd, const struct exit_record *r)
{
	auto_str struct str text = STR_INIT(64 * 1024);

	encode_text(&text, &t_record, r, 0);
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return file_replace(dir_fd, EXIT_RECORD_FILE, text.data, text.len, 0600);
}

err *exit_record_parse(struct arena *arena, const char *text, size_t len, struct exit_record *ret)
{
	struct decoder d = { .arena = arena, .name = EXIT_RECORD_FILE };

	return decode_text(&d, &t_record, NULL, text, len, ret);
}

err *exit_record_read(struct arena *arena, int dir_fd, struct exit_record *ret)
{
	auto_str struct str text = STR_INIT(64 * 1024);

	TRY(file_read(dir_fd, EXIT_RECORD_FILE, &text));
	return exit_record_parse(arena, text.data, text.len, ret);
}
