/* runtime/plan-build.c: the writer's side of the start plan. */
#include "runtime/plan-build.h"

#include "base/fd.h"

void plan_builder_init(struct plan_builder *b)
{
	*b = (struct plan_builder){
		.plan = {
			.magic = PLAN_MAGIC,
			.version = PLAN_VERSION,
			.fd_root = PLAN_NO_FD,
			.fd_proc = PLAN_NO_FD,
			.fd_console = PLAN_NO_FD,
			.fd_listen = PLAN_NO_FD,
			.fd_lock = PLAN_NO_FD,
			.fd_hooks_out = PLAN_NO_FD,
			.fd_hooks_errors = PLAN_NO_FD,
			.process = {
				.umask = UINT32_MAX,
				.personality = UINT32_MAX,
				.io_priority = UINT32_MAX,
				.memory_mode = UINT32_MAX,
			},
		},
		.bytes = STR_ON(b->space, PLAN_SIZE_MAX - 1),
		.fds = b->fds_space,
		.fd_cap = ARRAY_LEN(b->fds_space),
	};
	str_add_bytes(&b->bytes, &b->plan, sizeof b->plan);
}

void plan_builder_done(struct plan_builder *b)
{
	for (size_t i = 0; i < b->fd_count; i++)
		fd_close(b->fds[i]);
	if (b->fds != b->fds_space)
		free(b->fds);
	b->fds = NULL;
	b->fd_count = b->fd_cap = 0;
	str_done(&b->bytes);
}

void plan_builder_room(struct plan_builder *b, struct arena *arena, size_t more)
{
	enum { LATER = 4096 }; /* what may follow */
	size_t size = b->bytes.len + more + LATER;
	char *space = more < PLAN_SIZE_MAX && size > b->bytes.cap ? arena_alloc(arena, size) : NULL;

	if (space) /* else the string grows by itself */
		str_lend(&b->bytes, space, size);
}

plan_text plan_add_text(struct plan_builder *b, const char *text)
{
	if (!text)
		return 0;
	size_t at = b->bytes.len;
	str_add_bytes(&b->bytes, text, strlen(text) + 1);
	return (plan_text)at;
}

plan_text plan_add_textf(struct plan_builder *b, const char *fmt, ...)
{
	size_t at = b->bytes.len;
	va_list ap;

	va_start(ap, fmt);
	str_addv(&b->bytes, fmt, ap);
	va_end(ap);
	str_add_char(&b->bytes, '\0');
	return (plan_text)at;
}

struct plan_list plan_add_items(struct plan_builder *b, const void *items, size_t size, size_t count)
{
	static const char zeros[8];

	if (count == 0)
		return (struct plan_list){ 0 };
	str_add_bytes(&b->bytes, zeros, -b->bytes.len & 7);
	struct plan_list list = { (uint32_t)b->bytes.len, (uint32_t)count };
	if (count > PLAN_SIZE_MAX / size)
		b->failed = EFBIG;
	else
		str_add_bytes(&b->bytes, items, size * count);
	return list;
}

struct plan_list plan_add_texts(struct plan_builder *b, const char *const *texts, size_t count)
{
	plan_text few[32];
	auto_free plan_text *many = count > ARRAY_LEN(few) ? calloc(count, sizeof *many) : NULL;
	plan_text *items = count > ARRAY_LEN(few) ? many : few;

	if (!items) {
		b->failed = ENOMEM;
		return (struct plan_list){ 0 };
	}
	for (size_t i = 0; i < count; i++)
		items[i] = plan_add_text(b, texts[i]);
	return plan_add_items(b, items, sizeof *items, count);
}

static bool more_fds(struct plan_builder *b)
{
	bool first = b->fds == b->fds_space;
	size_t cap = 2 * b->fd_cap;
	int *fds = cap <= PLAN_FDS_MAX ? reallocarray(first ? NULL : b->fds, cap, sizeof *fds) : NULL;

	if (!fds) {
		b->failed = cap <= PLAN_FDS_MAX ? ENOMEM : EMFILE;
		return false;
	}
	if (first)
		memcpy(fds, b->fds_space, sizeof b->fds_space);
	b->fds = fds;
	b->fd_cap = cap;
	return true;
}

uint32_t plan_add_fd(struct plan_builder *b, int fd)
{
	if (b->fd_count == b->fd_cap && !more_fds(b)) {
		fd_close(fd);
		return PLAN_NO_FD;
	}
	b->fds[b->fd_count] = fd;
	return (uint32_t)b->fd_count++;
}

err *plan_finish(struct plan_builder *b, const struct plan **ret)
{
	if (b->failed)
		return err_code(b->failed, "start plan");
	str_add_char(&b->bytes, '\0');
	TRY(err_wrap(str_check(&b->bytes), "start plan"));
	b->plan.size = (uint32_t)b->bytes.len;
	memcpy(b->bytes.data, &b->plan, sizeof b->plan);
	TRY(plan_check(b->bytes.data, b->bytes.len, b->fd_count));
	*ret = (const struct plan *)b->bytes.data;
	return NULL;
}
