/* runtime/interrupt.h: INT, TERM, HUP and QUIT as reasons to give up a start and take everything back.
 *
 * A process that creates a container must not die in the middle of it, and yet not be deaf to these signals while a
 * hook hangs. They are blocked, and every wait of the start waits for them as well. A process has one set of signals, so
 * this is one for the process. Without interrupt_open() nothing here ever interrupts. */
#pragma once
#include "base/err.h"

/* Block the signals and listen to them. */
err *interrupt_open(void) MUST_CHECK;

/* Stop listening; they stay blocked, and pending ones pending for the next who listens. */
void interrupt_close(void);

/* For poll(2): readable when one has come; -1 when nobody listens. */
int interrupt_fd(void);

/* "interrupted by signal 15 (Terminated)", code EINTR: takes the one that has come. */
err *interrupt_error(void) MUST_CHECK;

/* Wait until `fd` is readable or has ended; EINTR as above. */
err *interrupt_wait(int fd) MUST_CHECK;
