/* net/units.c: slices of the service manager, over D-Bus, its jobs awaited. */
#include "net/units.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"

#define DESTINATION "org.freedesktop.systemd1"
#define PATH	    "/org/freedesktop/systemd1"
#define MANAGER	    DESTINATION ".Manager"
#define PATIENCE    (60 * (int64_t)NSEC_PER_SEC) /* under a flood of units systemd has taken 25 s */

struct talk {
	sd_bus *bus;
	int64_t deadline;
	char job[128];	  /* whose end is awaited; "" before its name is known */
	char ended[4096]; /* "PATH=RESULT\n" of the unit's jobs that ended before that */
};

static void talk_end(struct talk *t)
{
	sd_bus_flush_close_unref(t->bus);
}
#define auto_talk __attribute__((cleanup(talk_end)))

DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref)
DEFINE_CLEANUP_OF(sd_bus_error, sd_bus_error_free)
#define auto_message   CLEANUP(sd_bus_message_unref)
#define auto_bus_error CLEANUP(sd_bus_error_free)

static uint64_t left_usec(const struct talk *t)
{
	int64_t left = t->deadline - clock_monotonic();

	return left > 1000 ? (uint64_t)left / 1000 : 1; /* 0 would be sd-bus' own default */
}

/* What the sender broadcasts is its own; a signal that is sent to us alone could be anybody's. */
static int on_message(sd_bus_message *m, void *user, sd_bus_error *error UNUSED)
{
	struct talk *t = user;
	const char *path, *unit, *result;
	uint32_t id;

	if (sd_bus_message_is_signal(m, MANAGER, "JobRemoved") <= 0 || sd_bus_message_get_destination(m) ||
	    sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	size_t used = strlen(t->ended);
	snprintf(t->ended + used, sizeof(t->ended) - used, "%s=%s\n", path, result);
	return 0;
}

static err *talk_begin(struct talk *t, const char *name)
{
	char rule[512];

	t->deadline = clock_monotonic() + PATIENCE;
	int r = sd_bus_open_system(&t->bus);
	if (r < 0)
		return err_with_code(err_code(-r, "connect to the system bus"), ENOTCONN);
	/* Jobs of one unit alone wake us. The bus filters: sd-bus' own matches look at no argument behind one
	 * that is no text. */
	snprintf(rule, sizeof(rule),
		 "type='signal',sender='" DESTINATION "',path='" PATH "',interface='" MANAGER
		 "',member='JobRemoved',arg2='%s'",
		 name);
	r = sd_bus_add_filter(t->bus, NULL, on_message, t);
	if (r >= 0)
		r = sd_bus_call_method_async(t->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					     "org.freedesktop.DBus", "AddMatch", NULL, NULL, "s", rule);
	return r < 0 ? err_with_code(err_code(-r, "listen to the system bus"), ENOTCONN) : NULL;
}

static err *refused(int r, const sd_bus_error *error, const char *what)
{
	if (sd_bus_error_is_set(error) && error->message)
		return err_new(-r, "%s: the service manager says: %s", what, error->message);
	return err_code(-r, "%s: the service manager", what);
}

static err *new_call(const struct talk *t, const char *method, sd_bus_message **ret)
{
	int r = sd_bus_message_new_method_call(t->bus, ret, DESTINATION, PATH, MANAGER, method);

	return r < 0 ? err_code(-r, "%s", method) : NULL;
}

/* The job that a call answered with, to its end. */
static err *wait_job(struct talk *t, sd_bus_message *answer)
{
	const char *path = NULL, *at;
	int r = sd_bus_message_read(answer, "o", &path);

	if (r < 0 || strlen(path) >= sizeof(t->job) - 1)
		return err_new(EBADMSG, "an answer without a job");
	snprintf(t->job, sizeof(t->job), "%s=", path);
	while (!(at = strstr(t->ended, t->job))) {
		r = sd_bus_process(t->bus, NULL);
		if (r == 0)
			r = sd_bus_wait(t->bus, left_usec(t));
		if (r < 0)
			return err_code(-r, "wait for a job");
		if (clock_monotonic() > t->deadline)
			return err_new(ETIMEDOUT, "the job did not end within a minute");
	}
	at += strlen(t->job);
	size_t len = strcspn(at, "\n");
	return len == 4 && strncmp(at, "done", 4) == 0
		       ? NULL
		       : err_new(ECANCELED, "the job ended with '%.*s'", (int)len, at);
}

static int append_settings(sd_bus_message *call, const struct unit_setting *settings, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++)
		r = sd_bus_message_append(call, "(sv)", settings[i].name, "t", settings[i].value);
	return r;
}

/* *ret_exists: it was there; nothing has changed. */
static err *start(struct talk *t, const char *name, const struct unit_setting *settings, size_t count,
		  bool *ret_exists)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	auto_message sd_bus_message *call = NULL, *answer = NULL;

	TRY(new_call(t, "StartTransientUnit", &call));
	int r = sd_bus_message_append(call, "ss", name, "replace");
	if (r >= 0)
		r = sd_bus_message_open_container(call, 'a', "(sv)");
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "Description", "s", "Stube Pods");
	if (r >= 0)
		r = append_settings(call, settings, count);
	if (r >= 0)
		r = sd_bus_message_close_container(call);
	if (r >= 0)
		r = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r >= 0)
		r = sd_bus_call(t->bus, call, left_usec(t), &error, &answer);
	*ret_exists = r < 0 && sd_bus_error_has_name(&error, DESTINATION ".UnitExists");
	if (*ret_exists)
		return NULL;
	return r < 0 ? refused(r, &error, "StartTransientUnit") : wait_job(t, answer);
}

static err *change(const struct talk *t, const char *name, const struct unit_setting *settings, size_t count)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	auto_message sd_bus_message *call = NULL;

	TRY(new_call(t, "SetUnitProperties", &call));
	int r = sd_bus_message_append(call, "sb", name, 1);
	if (r >= 0)
		r = sd_bus_message_open_container(call, 'a', "(sv)");
	if (r >= 0)
		r = append_settings(call, settings, count);
	if (r >= 0)
		r = sd_bus_message_close_container(call);
	if (r >= 0)
		r = sd_bus_call(t->bus, call, left_usec(t), &error, NULL);
	return r < 0 ? refused(r, &error, "SetUnitProperties") : NULL;
}

/* A method with a job: *ret_gone, there is no such unit. */
static err *run_job(struct talk *t, const char *method, const char *name, bool *ret_gone)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	auto_message sd_bus_message *call = NULL, *answer = NULL;

	TRY(new_call(t, method, &call));
	int r = sd_bus_message_append(call, "ss", name, "replace");
	if (r >= 0)
		r = sd_bus_call(t->bus, call, left_usec(t), &error, &answer);
	*ret_gone = r < 0 && sd_bus_error_has_name(&error, DESTINATION ".NoSuchUnit");
	if (*ret_gone)
		return NULL;
	return r < 0 ? refused(r, &error, method) : wait_job(t, answer);
}

err *units_slice(const char *name, const struct unit_setting *settings, size_t count)
{
	auto_talk struct talk t = { 0 };
	bool exists = false;

	err *e = talk_begin(&t, name);
	if (!e)
		e = start(&t, name, settings, count, &exists);
	if (!e && exists) {
		bool gone;
		e = change(&t, name, settings, count);
		if (!e) /* it may be known without running */
			e = run_job(&t, "StartUnit", name, &gone);
	}
	return err_wrap(e, "unit '%s'", name);
}

err *units_stop(const char *name)
{
	auto_talk struct talk t = { 0 };
	bool gone;

	err *e = talk_begin(&t, name);
	if (!e)
		e = run_job(&t, "StopUnit", name, &gone);
	return err_wrap(e, "unit '%s'", name);
}
