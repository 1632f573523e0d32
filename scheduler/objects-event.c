/* scheduler/objects-event.c: Events: what happened to an object, told once and counted. */
#include "scheduler/objects-internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/event.h"
#include "base/clock.h"
#include "base/log.h"

enum { MESSAGE_MAX = 1024 };

static void told(const err *error, const struct entry *entry, void *user)
{
	(void)entry;
	(void)user;
	/* Where the Namespace is on its way out, or two were told at once, nobody misses it. */
	if (error && error->code != EPERM && error->code != ENOENT && error->code != EEXIST)
		log_err(error);
}

static err *count_up(struct arena *arena, struct object *draft, void *user)
{
	struct event *event = (struct event *)(void *)draft;

	(void)arena;
	(void)user;
	event->count++;
	event->last.nsec = clock_real();
	return NULL;
}

/* The same thing said of the same object has the same name. */
static err *event_name(struct arena *arena, const struct object *about, const char *reason,
		       const char *message, const char **ret)
{
	const char *parts[] = { about->metadata.uid, reason, message };
	const struct strings all = { parts, ARRAY_LEN(parts) };
	char hash[17];

	if (!parts[0])
		parts[0] = about->metadata.name;
	object_hash(&t_strings, &all, hash);
	TRY_ALLOC(arena, *ret, arena_printf(arena, "%.200s.%s", about->metadata.name, hash));
	return NULL;
}

static err *tell(struct objects *o, struct arena *arena, const struct object *about, bool warning,
		 const char *reason, const char *message)
{
	const struct write w = { .done = told };
	const struct kind *kind = kind_of(about);
	const char *namespace = kind->namespaced ? about->metadata.namespace : "default", *name;
	struct object *object;

	TRY(event_name(arena, about, reason, message, &name));
	if (cache_get(o->cache, KIND_EVENT, namespace, name))
		return objects_change(o, &kinds[KIND_EVENT], namespace, name, count_up, NULL, &w);
	TRY(object_new(arena, &kinds[KIND_EVENT], &object));

	struct event *event = (struct event *)(void *)object;
	event->metadata.name = name;
	event->metadata.namespace = namespace;
	event->involved = (struct object_reference){
		.api_version = kind->api_version,
		.kind = kind->name,
		.namespace = about->metadata.namespace,
		.name = about->metadata.name,
		.uid = about->metadata.uid,
		.resource_version = about->metadata.resource_version,
	};
	event->reason = reason;
	event->message = message;
	event->type = warning ? "Warning" : "Normal";
	event->source.component = event->reporting_component = "stube-scheduler";
	/* Whole seconds for people; the finer time puts a Pod's story in order. */
	event->first.nsec = event->last.nsec = event->event_time.nsec = clock_real();
	event->count = 1;
	return objects_create(o, object, &w);
}

/* A message that was cut ends in a whole character. */
static void cut_whole(char *message, size_t len)
{
	while (len > 0 && ((unsigned char)message[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && ((unsigned char)message[len - 1] & 0x80))
		len--;
	message[len] = '\0';
}

void objects_event(struct objects *o, const struct object *about, bool warning, const char *reason,
		   const char *fmt, ...)
{
	auto_arena struct arena *arena = NULL;
	char message[MESSAGE_MAX] = "";
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(message, sizeof(message), fmt, ap) >= (int)sizeof(message))
		cut_whole(message, sizeof(message) - 1);
	va_end(ap);
	auto_err err *e = arena_new(1 << 20, &arena);
	if (!e)
		e = tell(o, arena, about, warning, reason, message);
	told(e, NULL, NULL);
}
