/* tests/fuzz/runtime_text.c: texts of /proc, lists, datagrams: the first byte says which. */
#include "runtime/cgroup.h"
#include "runtime/notify.h"
#include "runtime/plan-config.h"
#include "runtime/state.h"
#include "tests/fuzz/parsers.h"

static void mountinfo(struct arena *arena, char *text)
{
	const char *path = NULL;
	bool hybrid;

	IGNORE(cgroup_parse_mountinfo(arena, text, &path, &hybrid));
	if (path && strlen(path) > strlen(text))
		abort();
}

/* What comes out begins at the root of the hierarchy and is one line. */
static void membership(struct arena *arena, char *text)
{
	auto_str struct str path = STR_INIT(1 << 16);
	err *e = cgroup_parse_membership(text, &path);

	(void)arena;
	if (!e && (path.data[0] != '/' || strchr(path.data, '\n')))
		abort();
	err_free(e);
}

static void stat_of_process(struct arena *arena, char *text)
{
	uint64_t time;

	(void)arena;
	(void)state_parse_start_time(text, &time);
}

static void list(struct arena *arena, char *text)
{
	uint64_t *mask = NULL;
	size_t words = 0;
	err *e = plan_parse_list(arena, text, &mask, &words);

	if (!e && words > 1024)
		abort();
	err_free(e);
}

/* Nothing that the container says can name another main process. */
static void datagram(const uint8_t *bytes, size_t len)
{
	auto_str struct str out = STR_INIT(1 << 16);
	bool ready = false;

	notify_filter((const char *)bytes, len, 42, &out, &ready);
	if (!out.len)
		return;
	if (strlen(out.data) != out.len || strncmp(out.data, "MAINPID=42\n", 11) != 0 ||
	    strstr(out.data + 11, "\nMAINPID=") || strncmp(out.data + 11, "MAINPID=", 8) == 0)
		abort();
	if (ready && !strstr(out.data, "\nREADY=1\n"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static fuzz_text *const texts[] = { mountinfo, membership, stat_of_process, list };

	return fuzz_one_of(bytes, len, 1 << 15, texts, ARRAY_LEN(texts), datagram);
}
