/* cmd/stube-systemd/manager.c: scopes made, changed and ended by a service manager, its jobs awaited. */
#include "cmd/stube-systemd/manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DESTINATION "org.freedesktop.systemd1"
#define PATH	    "/org/freedesktop/systemd1"
#define MANAGER	    DESTINATION ".Manager"
#define UNIT	    DESTINATION ".Unit"

DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref)
DEFINE_CLEANUP_OF(sd_bus_error, sd_bus_error_free)
#define auto_message   CLEANUP(sd_bus_message_unref)
#define auto_bus_error CLEANUP(sd_bus_error_free)

static uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t left_usec(const struct manager *m)
{
	uint64_t now = now_usec();

	/* 0 would be sd-bus' own default. */
	return now < m->deadline ? m->deadline - now : 1;
}

/* ---- the bus ---- */

/* A user's bus where the environment does not tell: the usual place. */
static void guess_runtime_dir(void)
{
	char path[64];

	if (getenv("DBUS_SESSION_BUS_ADDRESS") || getenv("XDG_RUNTIME_DIR"))
		return;
	snprintf(path, sizeof path, "/run/user/%u", getuid());
	setenv("XDG_RUNTIME_DIR", path, 0);
}

err *manager_open(struct manager *m, bool user, uint32_t timeout_ms)
{
	m->deadline = now_usec() + timeout_ms * (uint64_t)1000;
	m->whose = user ? "user" : "system";
	if (user)
		guess_runtime_dir();
	int r = user ? sd_bus_open_user(&m->bus) : sd_bus_open_system(&m->bus);
	if (r >= 0)
		return NULL;
	return err_with_code(err_code(-r, "connect to the %s bus", m->whose), ENOTCONN);
}

void manager_close(struct manager *m)
{
	sd_bus_close_unref(m->bus);
	m->bus = NULL;
}

/* ---- calls ---- */

static err *refused(const struct manager *m, int r, const sd_bus_error *error, const char *what)
{
	/* Until its first answer, a bus that is there but does not let us in looks like this. */
	if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE)
		return err_with_code(err_code(-r, "%s: the %s bus", what, m->whose), ENOTCONN);
	if (sd_bus_error_is_set(error) && error->message)
		return err_new(-r, "%s: the %s manager says: %s", what, m->whose, error->message);
	return err_code(-r, "%s: the %s manager", what, m->whose);
}

static err *new_call(const struct manager *m, const char *method, sd_bus_message **ret)
{
	int r = sd_bus_message_new_method_call(m->bus, ret, DESTINATION, PATH, MANAGER, method);

	return r < 0 ? err_code(-r, "%s", method) : NULL;
}

/* Whether the error says that there is no such unit (any more). */
static bool is_gone(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, DESTINATION ".NoSuchUnit") ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
	       sd_bus_error_has_name(error, DESTINATION ".LoadFailed");
}

/* A method of the manager with the unit's name and perhaps a mode. ret: the answer, or NULL. *ret_gone may be
 * NULL; then a missing unit is an error. */
static err *call_unit(const struct manager *m, const char *method, const char *name, const char *mode,
		      sd_bus_message **ret, bool *ret_gone)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	auto_message sd_bus_message *call = NULL;

	TRY(new_call(m, method, &call));
	int r = sd_bus_message_append(call, "s", name);
	if (r >= 0 && mode)
		r = sd_bus_message_append(call, "s", mode);
	if (r >= 0)
		r = sd_bus_call(m->bus, call, left_usec(m), &error, ret);
	if (ret_gone)
		*ret_gone = r < 0 && is_gone(&error);
	if (r < 0 && !(ret_gone && *ret_gone))
		return refused(m, r, &error, method);
	return NULL;
}

/* A property of the unit as the manager has it; *ret stays NULL when there is no such unit. */
static err *get_property(const struct manager *m, const char *name, const char *property, const char *type,
			 sd_bus_message **ret)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	char *path = NULL;

	int r = sd_bus_path_encode(PATH "/unit", name, &path);
	if (r >= 0)
		r = sd_bus_get_property(m->bus, DESTINATION, path, UNIT, property, &error, ret, type);
	free(path);
	if (r < 0 && is_gone(&error))
		return NULL;
	return r < 0 ? refused(m, r, &error, property) : NULL;
}

static err *get_invocation(const struct manager *m, const char *name, char *hex)
{
	auto_message sd_bus_message *answer = NULL;
	const uint8_t *bytes = NULL;
	size_t len = 0;

	hex[0] = '\0';
	TRY(get_property(m, name, "InvocationID", "ay", &answer));
	if (answer && sd_bus_message_read_array(answer, 'y', (const void **)&bytes, &len) < 0)
		return err_new(EBADMSG, "InvocationID: an answer of another kind");
	for (size_t i = 0; i < len && i < UNIT_INVOCATION_LEN / 2; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return NULL;
}

static err *get_state(const struct manager *m, const char *name, char *state, size_t size)
{
	auto_message sd_bus_message *answer = NULL;
	const char *text = "inactive";

	TRY(get_property(m, name, "ActiveState", "s", &answer));
	if (answer && sd_bus_message_read(answer, "s", &text) < 0)
		return err_new(EBADMSG, "ActiveState: an answer of another kind");
	snprintf(state, size, "%s", text);
	return NULL;
}

/* ---- jobs ---- */

/* Signals that came before the answer to the call are kept: any may be the one. */
struct jobs {
	struct {
		char path[128], result[32];
	} ended[8];
	unsigned count; /* all that came; the last eight are kept */
};

static int on_message(sd_bus_message *signal, void *data, sd_bus_error *error)
{
	struct jobs *jobs = data;
	const char *path, *unit, *result;
	uint32_t number;

	(void)error;
	/* The bus lets through what its sender broadcasts; what is sent to us alone could be anybody's. */
	if (sd_bus_message_is_signal(signal, MANAGER, "JobRemoved") <= 0 ||
	    sd_bus_message_get_destination(signal))
		return 0;
	if (sd_bus_message_read(signal, "uoss", &number, &path, &unit, &result) < 0)
		return 0;
	unsigned at = jobs->count++ % ARRAY_LEN(jobs->ended);
	snprintf(jobs->ended[at].path, sizeof jobs->ended[at].path, "%s", path);
	snprintf(jobs->ended[at].result, sizeof jobs->ended[at].result, "%s", result);
	return 0;
}

/* Before the call that makes a job: the bus keeps the order. The unit's own signals alone, however many
 * others start and end meanwhile. The bus matches, not sd-bus, which does not look behind an argument that is
 * no text.
 */
static err *listen_for(const struct manager *m, const char *name, struct jobs *jobs)
{
	auto_str struct str rule = STR_INIT(1024);

	str_addf(&rule,
		 "type='signal',sender='" DESTINATION "',path='" PATH "',interface='" MANAGER
		 "',member='JobRemoved',arg2='%s'",
		 name);
	TRY(str_check(&rule));
	int r = sd_bus_add_filter(m->bus, NULL, on_message, jobs);
	if (r >= 0)
		r = sd_bus_call_method_async(m->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					     "org.freedesktop.DBus", "AddMatch", NULL, NULL, "s", rule.data);
	return r < 0 ? refused(m, r, NULL, "JobRemoved") : NULL;
}

static const char *result_of(const struct jobs *jobs, const char *path)
{
	for (unsigned i = 0; i < ARRAY_LEN(jobs->ended) && i < jobs->count; i++)
		if (str_equal(jobs->ended[i].path, path))
			return jobs->ended[i].result;
	return NULL;
}

/* answer: to the call that made the job. */
static err *wait_job(const struct manager *m, sd_bus_message *answer, const struct jobs *jobs,
		     const char *what)
{
	const char *path = NULL, *result = NULL;
	int r = sd_bus_message_read(answer, "o", &path);

	while (r >= 0 && !(result = result_of(jobs, path))) {
		r = sd_bus_process(m->bus, NULL);
		if (r != 0)
			continue;
		if (now_usec() >= m->deadline)
			return err_new(ETIMEDOUT, "%s: the %s manager did not end the job in time", what,
				       m->whose);
		r = sd_bus_wait(m->bus, left_usec(m));
	}
	if (r < 0)
		return refused(m, r, NULL, what);
	if (str_equal(result, "done"))
		return NULL;
	return err_new(ECANCELED, "%s: the %s manager ended the job with '%s'", what, m->whose, result);
}

/* ---- start ---- */

/* 0 is the caller, this process, whatever its number is in the manager's pid namespace. */
static int append_scope(sd_bus_message *call, const struct unit_request *r)
{
	int n = sd_bus_message_append(call, "ss", r->name, "fail");

	if (n >= 0)
		n = sd_bus_message_open_container(call, 'a', "(sv)");
	if (n >= 0)
		n = sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, 0);
	if (n >= 0)
		n = append_properties(call, &r->properties);
	if (n >= 0)
		n = sd_bus_message_close_container(call);
	return n < 0 ? n : sd_bus_message_append(call, "a(sa(sv))", 0);
}

/* *ret stays NULL when there is a unit of that name already. */
static err *start_once(const struct manager *m, const struct unit_request *r, sd_bus_message **ret)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	auto_message sd_bus_message *call = NULL;

	TRY(new_call(m, "StartTransientUnit", &call));
	int n = append_scope(call, r);
	if (n >= 0)
		n = sd_bus_call(m->bus, call, left_usec(m), &error, ret);
	if (n < 0 && sd_bus_error_has_name(&error, DESTINATION ".UnitExists"))
		return NULL;
	return n < 0 ? refused(m, n, &error, "StartTransientUnit") : NULL;
}

/* A unit that failed once stays until somebody takes notice; one that has just ended may be there for a
 * moment. Neither is a container's any more. */
static err *make_room(const struct manager *m, const char *name)
{
	char state[32];
	bool gone;

	TRY(get_state(m, name, state, sizeof state));
	if (str_equal(state, "inactive"))
		return NULL;
	if (str_equal(state, "failed"))
		return call_unit(m, "ResetFailedUnit", name, NULL, NULL, &gone);
	return err_new(EEXIST, "there is such a unit already, in the state '%s'", state);
}

err *manager_start(struct manager *m, const struct unit_request *r, char *invocation)
{
	auto_message sd_bus_message *answer = NULL;
	struct jobs jobs = { .count = 0 };

	TRY(listen_for(m, r->name, &jobs));
	for (int attempt = 0; !answer; attempt++) {
		TRY(start_once(m, r, &answer));
		if (answer)
			break;
		if (attempt == 5)
			return err_new(EEXIST, "there is such a unit already, which does not go away");
		TRY(make_room(m, r->name));
	}
	TRY(wait_job(m, answer, &jobs, "start"));
	return get_invocation(m, r->name, invocation);
}

/* ---- the rest ---- */

/* systemd answers first and writes the kernel's files in its next turn: a second answer comes after that, so
 * that the caller's own writes are the last. */
err *manager_update(struct manager *m, const struct unit_request *r)
{
	char state[32];

	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	auto_message sd_bus_message *call = NULL;

	TRY(new_call(m, "SetUnitProperties", &call));
	/* runtime: until the unit ends, as itself. */
	int n = sd_bus_message_append(call, "sb", r->name, 1);
	if (n >= 0)
		n = sd_bus_message_open_container(call, 'a', "(sv)");
	if (n >= 0)
		n = append_properties(call, &r->properties);
	if (n >= 0)
		n = sd_bus_message_close_container(call);
	if (n >= 0)
		n = sd_bus_call(m->bus, call, left_usec(m), &error, NULL);
	if (n < 0)
		return refused(m, n, &error, "SetUnitProperties");
	return get_state(m, r->name, state, sizeof state);
}

static err *has_processes(const struct manager *m, const char *name, bool *ret)
{
	auto_message sd_bus_message *answer = NULL;
	bool gone = false;

	TRY(call_unit(m, "GetUnitProcesses", name, NULL, &answer, &gone));
	int n = gone ? 0 : sd_bus_message_enter_container(answer, 'a', "(sus)");
	if (n < 0 || (n > 0 && (n = sd_bus_message_at_end(answer, 0)) < 0))
		return err_new(EBADMSG, "GetUnitProcesses: an answer of another kind");
	*ret = !gone && n == 0;
	return NULL;
}

/* Which run of the unit is the caller's: that with the id, or where it never learned one, that in which
 * nobody is left. Gone, or made anew by somebody else: not ours to stop. */
static err *is_callers(const struct manager *m, const struct unit_request *r, bool *ret)
{
	char now[UNIT_INVOCATION_LEN + 1];
	bool busy = true;

	TRY(get_invocation(m, r->name, now));
	if (now[0] && !r->invocation[0])
		TRY(has_processes(m, r->name, &busy));
	*ret = now[0] && (r->invocation[0] ? str_equal(now, r->invocation) : !busy);
	return NULL;
}

err *manager_stop(struct manager *m, const struct unit_request *r)
{
	auto_message sd_bus_message *answer = NULL;
	struct jobs jobs = { .count = 0 };
	bool gone = false, ours = false;

	TRY(is_callers(m, r, &ours));
	if (!ours)
		return NULL;
	TRY(listen_for(m, r->name, &jobs));
	TRY(call_unit(m, "StopUnit", r->name, "replace", &answer, &gone));
	if (gone)
		return NULL;
	TRY(wait_job(m, answer, &jobs, "stop"));
	return call_unit(m, "ResetFailedUnit", r->name, NULL, NULL, &gone);
}

err *manager_attach(struct manager *m, const struct unit_request *r)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;
	int n = sd_bus_call_method(m->bus, DESTINATION, PATH, MANAGER, "AttachProcessesToUnit", &error, NULL,
				   "ssau", r->name, r->place, 1, r->pid);

	return n < 0 ? refused(m, n, &error, "AttachProcessesToUnit") : NULL;
}

err *manager_version(struct manager *m, char **ret)
{
	auto_bus_error sd_bus_error error = SD_BUS_ERROR_NULL;

	(void)sd_bus_set_method_call_timeout(m->bus, left_usec(m));
	int n = sd_bus_get_property_string(m->bus, DESTINATION, PATH, MANAGER, "Version", &error, ret);

	return n < 0 ? refused(m, n, &error, "Version") : NULL;
}
