"""What the operators share: arguments over settings, errors as reports, jobs waited for or watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy.types import Operator

from ..relitalk_addon import compat, jobs, portraits, preferences, settings, stage, watch
from ..relitalk_addon.engine import ReliTalkError

ARGUMENT = {"SKIP_SAVE"}
PATH = ARGUMENT | compat.RELATIVE


def allowed(cls: type, context: bpy.types.Context, *reasons: Callable[[bpy.types.Context], str]) -> bool:
    """Whether a button can be pressed; its tooltip says why not.

    Only the sidebar asks for all that is missing in the settings: a script may give it as arguments.
    """
    if bpy.app.background or context.area is None or context.area.type != "VIEW_3D":
        return True
    for reason in reasons:
        why = reason(context)
        if why:
            cls.poll_message_set(compat.translated(why))
            return False
    return True


def engine_missing(_: bpy.types.Context) -> str:
    """Why the engine cannot be asked."""
    return preferences.engine_complaint()


def confirmed(operator: Operator, context: bpy.types.Context, event: bpy.types.Event, *questions: str) -> set[str]:
    """Ask the person at the button what is to be asked, if anything, and go on."""
    question = " ".join(compat.translated(question) for question in questions if question)
    if question:
        return context.window_manager.invoke_confirm(operator, event, message=question)
    return operator.execute(context)


def about_the_view(context: bpy.types.Context) -> str:
    """What to ask before *As filmed* changes the scene's view; empty where it changes nothing."""
    filmed = settings.get(context).look == "AS_FILMED"
    if filmed and context.scene.view_settings.view_transform != "Standard":
        return "As filmed sets the scene's view to Standard."
    return ""


def refuse(operator: Operator, error: ReliTalkError) -> set[str]:
    """Say why nothing was done."""
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


class Told:
    """An operator whose errors are told to the user."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do what the class does."""
        try:
            return self.act(context)
        except ReliTalkError as error:
            return refuse(self, error)

    def act(self, context: bpy.types.Context) -> set[str]:
        """What the class does; a ReliTalkError says why it cannot."""
        raise NotImplementedError


class Argued:
    """An operator whose unset arguments mean the scene's settings."""

    def value(self, context: bpy.types.Context, name: str) -> Any:
        """An argument as it was given; the setting where it was not."""
        if self.properties.is_property_set(name):
            return getattr(self, name)
        return getattr(settings.get(context), name)


class Waiting:
    """An operator that begins jobs: it waits for them where there is no window, else they are shown in the panel."""

    wait: BoolProperty(
        name="Wait", default=bpy.app.background, options=ARGUMENT,
        description="Come back when the job is done, instead of letting it run in the background",
    )

    def attend(self, begin: Callable[[], jobs.Job], then: Callable[[jobs.Job], None]) -> set[str]:
        """Begin a job; wait and do what follows, or leave both to the window.

        Args:
            begin: begins the job; its errors become reports.
            then: what follows a job that was waited for.
        """
        try:
            job = begin()
        except ReliTalkError as error:
            return refuse(self, error)
        if not self.wait:
            watch.follow(job)
            self.report({"INFO"}, f"{job.order.title}: begun, see the panel Jobs")
            return {"FINISHED"}
        jobs.wait(job)
        for warning in job.warnings:
            self.report({"WARNING"}, warning)
        if job.state is not jobs.State.DONE:
            self.report({"ERROR"}, job.message or f"{job.order.title} was cancelled.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{job.order.title}: done")
        try:
            then(job)
        except ReliTalkError as error:
            return refuse(self, error)
        return {"FINISHED"}


class OfJob(Told):
    """An operator that works on a job: the one that is named, else the chosen one, else the newest that runs."""

    job: StringProperty(
        name="Job", options=ARGUMENT, description="The job's name; empty: the one chosen in the panel, or that runs",
    )

    def chosen(self) -> jobs.Job | None:
        """The job that is meant; None, and an error said, where there is none."""
        found = watch.named(self.job) if self.job else watch.chosen() or watch.running()
        if found is None:
            self.report({"ERROR"}, f"There is no job {self.job}." if self.job else "No job runs.")
        return found

    def act(self, context: bpy.types.Context) -> set[str]:
        """Find the job, and do to it what the class does."""
        job = self.chosen()
        return {"CANCELLED"} if job is None else self.act_on(context, job)

    def act_on(self, context: bpy.types.Context, job: jobs.Job) -> set[str]:
        """What the class does to the job."""
        raise NotImplementedError


class OfTake(Argued, Told):
    """An operator that works on a take: the one that is named, else the portrait's, else the newest."""

    take: StringProperty(
        name="Take", subtype="DIR_PATH", options=PATH, description="Its folder; empty: the portrait's, or the newest",
    )
    frame_start: IntProperty(name="Start Frame", options=ARGUMENT, description="Scene frame of the take's first frame")

    def chosen(self, context: bpy.types.Context) -> tuple[stage.Take, int, bpy.types.Object | None]:
        """The take that is meant, where it begins, and the portrait that shows it, if one does.

        Raises:
            ReliTalkError: there is no such take.
        """
        portrait = portraits.portrait(context)
        if portrait is not None and not self.take:
            start = self.frame_start if self.properties.is_property_set("frame_start") else portrait.relitalk.start
            return portraits.take_of(portrait), start, portrait
        take = stage.open_take(settings.existing_take(self.value(context, "take")))
        return take, self.value(context, "frame_start"), None
