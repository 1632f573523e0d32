/* cmd/stube-systemd/manager.h: what a service manager is asked for, over the bus.
 * Ref: org.freedesktop.systemd1(5). Library: sd-bus (libsystemd), seen only in this folder. */
#pragma once
#include <stdint.h>
#include <systemd/sd-bus.h>
#include "base/err.h"
#include "runtime/unit-message.h"

struct manager {
	sd_bus *bus;
	const char *whose; /* "system" or "user", for messages */
	uint64_t deadline; /* microseconds of CLOCK_MONOTONIC: everything together */
};

/* Connect to the system's bus, or to the caller's. ENOTCONN: there is none. */
err *manager_open(struct manager *m, bool user, uint32_t timeout_ms) MUST_CHECK;
void manager_close(struct manager *m);

/* A scope with this process in it; the job is done when this returns. invocation: 33 bytes. */
err *manager_start(struct manager *m, const struct unit_request *r, char *invocation) MUST_CHECK;
err *manager_update(struct manager *m, const struct unit_request *r) MUST_CHECK;
err *manager_stop(struct manager *m, const struct unit_request *r) MUST_CHECK;
err *manager_attach(struct manager *m, const struct unit_request *r) MUST_CHECK;

/* Which systemd answers. ret: yours to free. */
err *manager_version(struct manager *m, char **ret) MUST_CHECK;

/* Append "name", variant for each property (properties.c); an sd-bus result. */
int append_properties(sd_bus_message *m, const struct unit_properties *list);
