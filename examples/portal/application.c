/* examples/portal/application.c: one application: how far it is, what was written, what can be done now. */
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "examples/filenumber.h"
#include "examples/portal/pages.h"
#include "examples/token.h"

#define NOTE_MAX 2000

enum look { DONE, CURRENT, NEXT };

/* One line of the progress list. The look is also said in words, for those who do not see it. */
static void add_step(struct page *p, enum look look, const char *title, const struct event *event)
{
	static const char *const classes[] = { "done", "current", "next" };
	const char *const words[] = { say(p, "erledigt", "done"), say(p, "jetzt", "now"),
				      say(p, "steht noch aus", "still to come") };
	struct str *h = p->html;

	html_add(h, "<li class=\"%s\"", classes[look]);
	str_add(h, look == CURRENT ? " aria-current=\"step\">" : ">");
	html_add(h, "<p class=\"step\"><strong>%s</strong> <span class=\"unseen\">– %s</span></p>\n", title,
		 words[look]);
	if (event) {
		str_add(h, "<p class=\"when\">");
		page_time(p, event->at);
		str_add(h, "</p>\n");
	}
	if (event && event->note)
		html_add(h, "<blockquote><p class=\"by\">%s</p><p>%s</p></blockquote>\n",
			 event->by == ROLE_CLERK ? say(p, "Nachricht der Behörde", "Message of the authority")
						 : say(p, "Antwort", "Answer"),
			 event->note);
	str_add(h, "</li>\n");
}

/* All that happened, with its dates, then what is still to come. */
static void add_progress(struct page *p, const struct application *a)
{
	bool final = state_is_final((enum state)a->state);

	html_add(p->html,
		 "<section aria-labelledby=\"progress\">\n<h2 id=\"progress\">%s</h2>\n<ol "
		 "class=\"progress\">\n",
		 say(p, "So weit ist der Antrag", "How far it is"));
	for (size_t i = 0; i < a->history.count; i++) {
		const struct event *event = &a->history.items[i];
		bool last = i + 1 == a->history.count;

		add_step(p, last && !final ? CURRENT : DONE, state_title(p, (enum state)event->state), event);
	}
	if (a->state == STATE_RECEIVED)
		add_step(p, NEXT, state_title(p, STATE_REVIEW), NULL);
	if (!final)
		add_step(p, NEXT, say(p, "Entscheidung", "Decision"), NULL);
	str_add(p->html, "</ol>\n</section>\n");
}

static const char *choice_title(const struct page *p, const struct form_field *field, const char *value)
{
	for (size_t i = 0; i < field->choices.count; i++)
		if (str_equal(field->choices.items[i].value, value))
			return say_words(p, &field->choices.items[i].label);
	return value;
}

/* "DE02 1203 ...": read in groups of four; dates as people write them. */
static void add_value(struct page *p, const struct form_field *field, const char *value)
{
	if (field->type == FIELD_IBAN) {
		for (size_t i = 0; value[i]; i++) {
			char one[2] = { value[i] };

			if (i > 0 && i % 4 == 0)
				str_add_char(p->html, ' ');
			html_text(p->html, one);
		}
	} else if (field->type == FIELD_DATE && p->language == LANGUAGE_DE && strlen(value) == 10) {
		html_add(p->html, "%s", value + 8);
		str_addf(p->html, ".%.2s.%.4s", value + 5, value); /* antrag lets digits pass only */
	} else {
		html_text(p->html, choice_title(p, field, value));
	}
}

static void add_fields(struct page *p, const struct application *a, const struct form *form)
{
	struct str *h = p->html;

	html_add(h, "<section aria-labelledby=\"data\">\n<h2 id=\"data\">%s</h2>\n<dl>\n",
		 say(p, "Angaben im Antrag", "What was written"));
	for (size_t i = 0; form && i < form->fields.count; i++) {
		const struct form_field *field = &form->fields.items[i];
		const char *value = string_map_get(&a->fields, field->name);

		if (!value)
			continue;
		html_add(h, "<div><dt>%s</dt><dd>", say_words(p, &field->label));
		add_value(p, field, value);
		str_add(h, "</dd></div>\n");
	}
	str_add(h, "</dl>\n</section>\n");
}

static void add_signature(struct page *p, const struct application *a, const struct form *form)
{
	struct str *h = p->html;
	char text[CLOCK_TEXT_MAX];

	if (a->signature) {
		html_add(h, "<p class=\"signed\">%s ",
			 say(p, "Elektronisch unterschrieben am", "Signed electronically on"));
		page_time(p, clock_text(a->signed_at * (int64_t)NSEC_PER_SEC, false, text));
		html_add(h, "<br><span class=\"hint\">%s <code>%s</code></span></p>\n",
			 say(p, "Prüfsumme", "Digest"), a->digest);
		return;
	}
	if (p->session.role != ROLE_CITIZEN || !form || form->assurance < LOA_SUBSTANTIAL)
		return;
	add_notice(p, "note",
		   say(p, "Der Antrag ist noch nicht unterschrieben.", "The application is not signed yet."));
	page_form(p, "/applications/{}/sign", a->number);
	html_add(h, "<button class=\"button second\">%s</button>\n</form>\n",
		 say(p, "Jetzt unterschreiben", "Sign it now"));
}

static void add_note_field(struct page *p, const char *label, const char *hint, const char *problem)
{
	struct str *h = p->html;

	html_add(h, "<div class=\"field%s\"><label for=\"note\">%s</label>\n", problem ? " wrong" : "",
		 label);
	html_add(h, "<p class=\"hint\" id=\"note-hint\">%s</p>\n", hint);
	if (problem)
		html_add(h, "<p class=\"problem\" id=\"note-problem\">%s</p>\n", problem);
	html_add(h,
		 "<textarea id=\"note\" name=\"note\" rows=\"4\" maxlength=\"%d\" "
		 "aria-describedby=\"note-hint%s\">%s"
		 "</textarea></div>\n",
		 NOTE_MAX, problem ? " note-problem" : "", page_value(p, "note"));
}

static void add_answer_form(struct page *p, const struct application *a, const char *problem)
{
	html_add(p->html, "<section class=\"panel\" aria-labelledby=\"answer\">\n<h2 id=\"answer\">%s</h2>\n",
		 say(p, "Auf die Rückfrage antworten", "Answer the question"));
	page_form(p, "/applications/{}/answer", a->number);
	add_note_field(p, say(p, "Ihre Antwort", "Your answer"),
		       say(p, "Danach prüfen wir den Antrag weiter.",
			   "After that we go on with your application."),
		       problem);
	html_add(p->html, "<button class=\"button\">%s</button>\n</form>\n</section>\n",
		 say(p, "Antwort senden", "Send answer"));
}

/* What a clerk can do from here: the rows of the table of transitions. */
static void add_state_form(struct page *p, const struct application *a, const char *problem)
{
	struct str *h = p->html;

	if (state_is_final((enum state)a->state))
		return;
	html_add(h, "<section class=\"panel\" aria-labelledby=\"move\">\n<h2 id=\"move\">%s</h2>\n",
		 say(p, "Bearbeiten", "Process"));
	page_form(p, "/applications/{}/state", a->number);
	html_add(h, "<fieldset class=\"field\"><legend>%s</legend>\n", say(p, "Neuer Stand", "New state"));
	for (int to = 0; to < STATE_COUNT; to++) {
		const char *name = enum_name(state_names, to);

		if (!transition_find((enum state)a->state, (enum state)to, ROLE_CLERK))
			continue;
		html_add(h,
			 "<label class=\"choice\"><input type=\"radio\" name=\"state\" value=\"%s\"%s "
			 "required> %s</label>\n",
			 name, str_equal(page_value(p, "state"), name) ? " checked" : "",
			 state_title(p, (enum state)to));
	}
	str_add(h, "</fieldset>\n");
	add_note_field(p, say(p, "Nachricht an die Person", "Message to the person"),
		       say(p, "Nötig bei einer Rückfrage und bei einer Ablehnung.",
			   "Needed for a question and for a refusal."),
		       problem);
	html_add(h, "<button class=\"button\">%s</button>\n</form>\n</section>\n",
		 say(p, "Speichern", "Save"));
}

static void add_done(struct page *p)
{
	static const struct {
		const char *what;
		struct words words;
	} rows[] = {
		{ "applied",
		  { "Ihr Antrag ist eingegangen. Bitte notieren Sie das Aktenzeichen.",
		    "Your application has been received. Please note the file number." } },
		{ "answered", { "Ihre Antwort ist eingegangen.", "Your answer has been received." } },
		{ "signed", { "Der Antrag ist unterschrieben.", "The application is signed." } },
		{ "moved", { "Der neue Stand ist gespeichert.", "The new state is saved." } },
	};
	const char *done = http_query(p->request, "done");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_equal(rows[i].what, done))
			add_notice(p, "good", say_words(p, &rows[i].words));
}

static err *show(struct page *p, const struct application *a, const char *problem)
{
	struct str *h = p->html;
	struct forms forms = { 0 };
	bool clerk = p->session.role == ROLE_CLERK;

	TRY(backend_forms(&p->portal->backend, p->request->arena, &forms));
	const struct form *form = forms_find(&forms, a->kind);
	const char *kind = kind_title(p, &forms, a->kind);
	auto_str struct str title = STR_INIT(512);
	str_addf(&title, "%s%s %s: %s", problem ? say(p, "Fehler: ", "Error: ") : "", kind, a->number,
		 state_title(p, (enum state)a->state));
	page_open(p, title.data);
	html_add(h, "<p class=\"back\"><a href=\"/\">%s</a></p>\n",
		 clerk ? say(p, "Eingänge", "Inbox") : say(p, "Meine Anträge", "My applications"));
	add_done(p);
	html_add(h, "<div class=\"title\"><h1>%s</h1> ", kind);
	add_badge(p, (enum state)a->state);
	html_add(h,
		 "</div>\n<p class=\"file\"><span class=\"hint\">%s</span> <span "
		 "class=\"number\">%s</span></p>\n",
		 say(p, "Aktenzeichen", "File number"), a->number);
	if (clerk)
		html_add(h, "<p class=\"lead\">%s</p>\n", a->name);
	else
		html_add(h, "<p class=\"lead\">%s</p>\n", state_text(p, (enum state)a->state));
	if (a->state == STATE_QUERY && !clerk) {
		add_progress(p, a);
		add_answer_form(p, a, problem);
	} else {
		if (clerk)
			add_state_form(p, a, problem);
		add_progress(p, a);
	}
	add_fields(p, a, form);
	add_signature(p, a, form);
	page_close(p);
	return NULL;
}

/* The application of the path; else the answer is written and *ret_good false. */
static err *find(struct page *p, struct application *ret, bool *ret_good)
{
	char number[FILENUMBER_SIZE];
	struct refusal refusal = { 0 };

	*ret_good = false;
	if (!p->signed_in)
		return page_redirect(p, "/sign-in");
	if (!filenumber_parse(p->request->part[0], number))
		return page_failure(p, 404);
	TRY(backend_get(&p->portal->backend, p->request->arena, p->session.token, number, ret, &refusal));
	if (refusal.status)
		return page_refused(p, &refusal);
	*ret_good = true;
	return NULL;
}

err *get_application(const struct http_request *r, struct http_response *out)
{
	struct application a = { 0 };
	struct page p;
	bool good;

	TRY(page_begin(&p, r, out));
	TRY(find(&p, &a, &good));
	return good ? show(&p, &a, NULL) : NULL;
}

static err *begin_change(struct page *p, const struct http_request *r, struct http_response *out,
			 struct application *a, bool *ret_good)
{
	TRY(page_begin_form(p, r, out, ret_good));
	return *ret_good ? find(p, a, ret_good) : NULL;
}

static err *changed(struct page *p, const struct application *a, const char *what)
{
	auto_str struct str location = STR_INIT(128);

	str_addf(&location, "/applications/%s?done=%s", a->number, what);
	TRY(str_check(&location));
	return page_redirect(p, location.data);
}

/* What antrag said about a change; a note that is missing or too long is shown beside its field. */
static err *outcome(struct page *p, const struct application *a, const struct refusal *refusal,
		    const char *what)
{
	if (refusal->status == 0)
		return changed(p, a, what);
	if (refusal->status != 422 && refusal->status != 400)
		return page_refused(p, refusal);
	p->response->status = 422;
	return show(
		p, a,
		refusal->status == 422
			? say(p, "Bitte schreiben Sie dazu etwas.", "Please write something about it.")
			: say(p, "Bitte wählen Sie einen Stand und kürzen Sie den Text, wenn er zu lang ist.",
			      "Please choose a state, and shorten the text if it is too long."));
}

err *post_answer(const struct http_request *r, struct http_response *out)
{
	struct application a = { 0 };
	struct refusal refusal = { 0 };
	struct page p;
	bool good;

	TRY(begin_change(&p, r, out, &a, &good));
	if (!good)
		return NULL;
	TRY(backend_answer(&p.portal->backend, r->arena, p.session.token, a.number, page_value(&p, "note"),
			   &refusal));
	return outcome(&p, &a, &refusal, "answered");
}

err *post_sign(const struct http_request *r, struct http_response *out)
{
	struct application a = { 0 };
	struct refusal refusal = { 0 };
	struct page p;
	bool good;

	TRY(begin_change(&p, r, out, &a, &good));
	if (!good)
		return NULL;
	TRY(backend_sign(&p.portal->backend, r->arena, p.session.token, &a, &refusal));
	return refusal.status ? page_refused(&p, &refusal) : changed(&p, &a, "signed");
}

err *post_state(const struct http_request *r, struct http_response *out)
{
	struct application a = { 0 };
	struct refusal refusal = { 0 };
	struct page p;
	bool good;

	TRY(begin_change(&p, r, out, &a, &good));
	if (!good)
		return NULL;
	TRY(backend_move(&p.portal->backend, r->arena, p.session.token, a.number, page_value(&p, "state"),
			 page_value(&p, "note"), &refusal));
	return outcome(&p, &a, &refusal, "moved");
}
