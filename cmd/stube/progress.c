/* cmd/stube/progress.c: progress of pulls and pushes. */
#include "cmd/stube/progress.h"

#include <pthread.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"

#define BAR_WIDTH      24
#define SHORT_DIGEST   12
#define BARS_INTERVAL  (100 * (int64_t)NSEC_PER_MSEC)
#define PLAIN_INTERVAL (5 * (int64_t)NSEC_PER_SEC)
#define JSON_INTERVAL  (1 * (int64_t)NSEC_PER_SEC)

struct entry {
	struct digest digest;
	enum image_blob_state state;
	uint64_t done, total;
	bool shown;   /* its last line was printed */
	int64_t last; /* plain, json: when a line was printed */
};

struct progress;
struct mode {
	const char *name;
	void (*update)(struct progress *p, struct entry *e, bool changed);
};

struct progress {
	const struct mode *mode;
	struct image_progress callbacks;
	pthread_mutex_t lock;
	struct entry *entries;
	size_t count, cap;
	unsigned drawn; /* lines of bars on the screen */
	int64_t last;
};

/* clang-format off */
static const struct {
	const char *name; /* in JSON */
	const char *text; /* for people */
	bool final;
} states[] = {
	[IMAGE_BLOB_PRESENT]  = { "present",  "there already", true },
	[IMAGE_BLOB_WAITING]  = { "waiting",  "waiting for another process", false },
	[IMAGE_BLOB_RUNNING]  = { "running",  "", false },
	[IMAGE_BLOB_INDEXING] = { "indexing", "building its index", false },
	[IMAGE_BLOB_DONE]     = { "done",     "done", true },
	[IMAGE_BLOB_MOUNTED]  = { "mounted",  "taken from another repository", true },
};
/* clang-format on */

static void print(const struct str *out)
{
	if (!out->failed)
		IGNORE(fd_write_all(STDERR_FILENO, out->data, out->len));
}

static void add_name(struct str *out, const struct entry *e)
{
	char hex[DIGEST_HEX_MAX];

	str_addf(out, "%.*s  ", SHORT_DIGEST, digest_hex(&e->digest, hex));
}

static void add_line(struct str *out, const struct entry *e)
{
	char done[16], total[16];

	add_name(out, e);
	if (e->state == IMAGE_BLOB_RUNNING)
		str_addf(out, "%s of %s\n", cli_size_text(e->done, done), cli_size_text(e->total, total));
	else
		str_addf(out, "%s, %s\n", states[e->state].text, cli_size_text(e->total, total));
}

/* ---- bars ---- */

static void add_bar(struct str *out, const struct entry *e)
{
	char done[16], total[16];
	unsigned filled = e->total ? (unsigned)(e->done * BAR_WIDTH / e->total) : BAR_WIDTH;

	if (e->state != IMAGE_BLOB_RUNNING) {
		add_line(out, e);
		return;
	}
	add_name(out, e);
	str_add_char(out, '[');
	for (unsigned i = 0; i < BAR_WIDTH; i++)
		str_add_char(out, i < filled ? '=' : i == filled ? '>' : ' ');
	str_addf(out, "] %8s of %s\n", cli_size_text(e->done, done), cli_size_text(e->total, total));
}

/* Back to the first bar, and clear to the end of the screen. */
static void erase(struct progress *p, struct str *out)
{
	if (p->drawn > 0)
		str_addf(out, "\033[%uA\r\033[J", p->drawn);
	p->drawn = 0;
}

static void draw(struct progress *p, struct str *out)
{
	for (size_t i = 0; i < p->count; i++) {
		struct entry *e = &p->entries[i];

		if (states[e->state].final)
			continue;
		add_bar(out, e);
		p->drawn++;
	}
}

static void bars_update(struct progress *p, struct entry *e, bool changed)
{
	auto_str struct str out = STR_INIT(65536);
	int64_t now = clock_monotonic();

	if (!changed && now - p->last < BARS_INTERVAL)
		return;
	p->last = now;
	erase(p, &out);
	if (states[e->state].final && !e->shown) {
		add_line(&out, e);
		e->shown = true;
	}
	draw(p, &out);
	print(&out);
}

/* ---- lines ---- */

static bool is_due(struct entry *e, bool changed, int64_t interval)
{
	int64_t now = clock_monotonic();

	if (!changed && now - e->last < interval)
		return false;
	e->last = now;
	return true;
}

static void plain_update(struct progress *p, struct entry *e, bool changed)
{
	auto_str struct str out = STR_INIT(1024);

	(void)p;
	if (!is_due(e, changed, PLAIN_INTERVAL))
		return;
	add_line(&out, e);
	print(&out);
}

static void json_update(struct progress *p, struct entry *e, bool changed)
{
	auto_str struct str out = STR_INIT(1024);
	struct json_writer w = JSON_WRITER(&out, 0);
	char text[DIGEST_TEXT_MAX];

	(void)p;
	if (!is_due(e, changed, JSON_INTERVAL))
		return;
	json_begin_object(&w);
	json_member_string(&w, "blob", digest_text(&e->digest, text));
	json_member_string(&w, "state", states[e->state].name);
	json_member_uint(&w, "done", e->done);
	json_member_uint(&w, "total", e->total);
	json_end_object(&w);
	str_add_char(&out, '\n');
	print(&out);
}

static void none_update(struct progress *p, struct entry *e, bool changed)
{
	(void)p;
	(void)e;
	(void)changed;
}

static const struct mode modes[] = {
	{ "bars", bars_update },
	{ "plain", plain_update },
	{ "json", json_update },
	{ "none", none_update },
};

/* ---- calls from images/ ---- */

static struct entry *entry_of(struct progress *p, const struct digest *digest)
{
	for (size_t i = 0; i < p->count; i++)
		if (digest_equal(&p->entries[i].digest, digest))
			return &p->entries[i];
	if (p->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct entry *entries = reallocarray(p->entries, cap, sizeof *entries);

		if (!entries) /* progress is not worth failing for */
			return NULL;
		p->entries = entries;
		p->cap = cap;
	}
	struct entry *e = &p->entries[p->count++];
	*e = (struct entry){ .digest = *digest, .state = IMAGE_BLOB_WAITING };
	return e;
}

static void on_blob(void *arg, const struct oci_descriptor *blob, enum image_blob_state state, uint64_t done,
		    uint64_t total)
{
	struct progress *p = arg;

	pthread_mutex_lock(&p->lock);
	size_t before = p->count;
	struct entry *e = entry_of(p, &blob->digest);
	if (e) {
		bool changed = p->count != before || e->state != state;

		e->state = state;
		e->done = done;
		e->total = total;
		p->mode->update(p, e, changed);
	}
	pthread_mutex_unlock(&p->lock);
}

void progress_line(struct progress *p, const char *text)
{
	auto_str struct str out = STR_INIT(65536);

	pthread_mutex_lock(&p->lock);
	erase(p, &out);
	/* Part of the text may be a registry's: nothing of it may steer the terminal. */
	str_add_shown(&out, text);
	str_add_char(&out, '\n');
	if (p->mode->update == bars_update)
		draw(p, &out);
	if (p->mode->update != none_update && p->mode->update != json_update)
		print(&out);
	pthread_mutex_unlock(&p->lock);
}

void progress_end(struct progress *p)
{
	auto_str struct str out = STR_INIT(1024);

	pthread_mutex_lock(&p->lock);
	erase(p, &out);
	print(&out);
	pthread_mutex_unlock(&p->lock);
}

err *progress_new(const char *mode, bool quiet, struct progress **ret)
{
	const char *name = quiet ? "none" : mode;
	struct progress *p = calloc(1, sizeof *p);

	if (!p)
		return err_oom();
	if (!name || str_equal(name, "auto"))
		name = cli_is_terminal(STDERR_FILENO) ? "bars" : "plain";
	p->mode = &modes[0];
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (str_equal(modes[i].name, name))
			p->mode = &modes[i];
	p->callbacks = (struct image_progress){ on_blob, p };
	pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return NULL;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	progress_end(p);
	pthread_mutex_destroy(&p->lock);
	free(p->entries);
	free(p);
}

const struct image_progress *progress_callbacks(struct progress *p)
{
	return &p->callbacks;
}
