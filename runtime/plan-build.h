/* runtime/plan-build.h: the writer's side of the start plan. */
#pragma once
#include <stddef.h>
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/plan.h"

/* Bytes grow behind the header, which is filled as a struct and copied in front at the end. Most plans fit
 * into what is there from the start, so a builder must not be copied. */
struct plan_builder {
	struct plan plan;
	struct str bytes;
	int *fds; /* fds_space, or owned */
	size_t fd_count, fd_cap;
	int failed; /* ENOMEM, EMFILE; sticks, plan_finish() reports it */
	int fds_space[16];
	_Alignas(struct plan) char space[6 * 1024];
};

void plan_builder_init(struct plan_builder *b);
void plan_builder_done(struct plan_builder *b); /* closes the descriptors */
DEFINE_CLEANUP_OF(struct plan_builder, plan_builder_done)
#define auto_plan_builder CLEANUP(plan_builder_done)

/* Memory of the arena for `more` bytes that are about to be added, so that the block moves once. */
void plan_builder_room(struct plan_builder *b, struct arena *arena, size_t more);

/* Additions; failures stick. NULL strings are absent. */
plan_text plan_add_text(struct plan_builder *b, const char *text);
plan_text plan_add_textf(struct plan_builder *b, const char *fmt, ...) PRINTF(2, 3);
struct plan_list plan_add_texts(struct plan_builder *b, const char *const *texts, size_t count);
struct plan_list plan_add_items(struct plan_builder *b, const void *items, size_t size, size_t count);

/* A descriptor that travels with the plan (taken); its index. */
uint32_t plan_add_fd(struct plan_builder *b, int fd);

/* The finished block, valid until the next addition. It is proved by plan_check(). */
err *plan_finish(struct plan_builder *b, const struct plan **ret) MUST_CHECK;
