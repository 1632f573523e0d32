/* tests/unit/scheduler/rollout-make.h: Deployments, ReplicaSets and Pods for tests, made of few words. */
#pragma once
#include <stdio.h>
#include <string.h>

#include "api/deployment.h"
#include "api/kinds.h"
#include "base/clock.h"
#include "tests/unit/unit.h"

#define SECOND ((int64_t)NSEC_PER_SEC)
#define NOON   (1700000000 * SECOND)

static UNUSED struct object *make_object(struct arena *arena, const char *text)
{
	struct object *object = NULL;

	assert_ok(object_decode(arena, "test", text, strlen(text), NULL, 0, &object));
	return object;
}

/* spec: members of the spec beside replicas, selector and template, such as "\"paused\": true,". */
static UNUSED struct deployment *make_deployment(struct arena *arena, int replicas, const char *image,
						 const char *spec)
{
	const char *text =
		arena_printf(arena,
			     "{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": "
			     "{\"name\": \"web\", \"namespace\": "
			     "\"default\", \"uid\": \"d-1\", \"generation\": 1}, \"spec\": {%s \"replicas\": "
			     "%d, \"selector\": "
			     "{\"matchLabels\": {\"app\": \"web\"}}, \"template\": {\"metadata\": "
			     "{\"labels\": {\"app\": \"web\"}}, "
			     "\"spec\": {\"containers\": [{\"name\": \"web\", \"image\": \"%s\"}]}}}}",
			     spec, replicas, image);

	return (struct deployment *)(void *)make_object(arena, text);
}

static UNUSED void set_condition(struct arena *arena, struct conditions *list, const char *type, bool yes,
				 int64_t since)
{
	const struct condition c = { .type = type,
				     .status = yes ? CONDITION_TRUE : CONDITION_FALSE,
				     .transition.nsec = since };

	assert_ok(condition_set(arena, list, &c));
}

static UNUSED struct pod *make_pod(struct arena *arena, const char *name, const char *node, int64_t created)
{
	struct object *object;

	assert_ok(object_new(arena, &kinds[KIND_POD], &object));
	struct pod *pod = (struct pod *)(void *)object;
	pod->metadata.name = arena_strdup(arena, name);
	pod->metadata.namespace = "default";
	pod->metadata.uid = pod->metadata.name;
	pod->metadata.creation.nsec = created;
	pod->spec.node_name = arena_strdup(arena, node);
	pod->status.phase = POD_RUNNING;
	return pod;
}
