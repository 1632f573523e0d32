/* scheduler/explain-internal.h: what the three reports share. */
#pragma once
#include "api/pod.h"
#include "scheduler/scheduler.h"

enum { REPORT_ARENA_MAX = 256 << 20, SENTENCE_MAX = 16384 };

/* Why a node takes part in nothing: gone, or silent since a moment (0: unknown). False: it is there. */
struct loss {
	bool gone;
	struct api_time since;
};
bool report_lost(struct scheduler *s, const char *node, struct loss *ret);
/* ", lost since 2026-11-24T08:00:00Z" or ", which is gone". */
void report_say_loss(struct str *out, const struct loss *loss);
/* What each container of a placed Pod waits for, or how it ended: "; container 'main' waits:
 * ImagePullBackOff: ..."; nothing when all is well. */
void report_say_containers(const struct pod *pod, struct str *out);

/* What keeps a Pod's claims from being used: "claim 'x' is not there"; "" when nothing does. */
void binder_claims_trouble(struct scheduler *s, const struct pod *pod, struct str *out);
/* The name of the claim that ties the Pod to that node; NULL. */
const char *report_claim_at(struct scheduler *s, const struct pod *pod, const char *node);

/* A copy of the text in the arena. */
err *report_keep(struct arena *arena, const struct str *text, const char **ret) MUST_CHECK;
err *report_write(struct str *out, const struct type *type, const void *report) MUST_CHECK;
