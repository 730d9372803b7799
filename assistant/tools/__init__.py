"""The tools an interpreter may call: the whole list, in one place."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from typing import Any

from pydantic import BaseModel

import assistant.tools.conversation as talk
import assistant.tools.data as data
import assistant.tools.diagnose as diagnose
import assistant.tools.doctor as doctor
import assistant.tools.explain as explain
import assistant.tools.parameters as parameters
import assistant.tools.results as results
import assistant.tools.runs as runs
import assistant.tools.standing as standing
import assistant.tools.templates as templates
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome, Tool
from assistant.tools.estimate import EstimatePlan, estimate_plan
from assistant.tools.lookup_model import LookupModel, Recheck, lookup_model, recheck
from assistant.tools.recommend import Recommend, TellData, recommend, tell_data
from assistant.tools.validate_dataset import ValidateDataset, validate_dataset


def _tool(args: type[BaseModel], run: Callable[[Any, ChatState, Services], Outcome], name: str = "") -> Tool:
    return Tool(name or run.__name__, getdoc(args) or "", args, run)


TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        _tool(LookupModel, lookup_model),
        _tool(Recheck, recheck),
        _tool(ValidateDataset, validate_dataset),
        _tool(data.RepairDataset, data.repair_dataset),
        _tool(data.MapColumns, data.map_columns),
        _tool(data.ShowDataset, data.show_dataset),
        _tool(parameters.SetParameters, parameters.set_parameters),
        _tool(parameters.Unset, parameters.unset),
        _tool(templates.LoadTemplate, templates.load_template),
        _tool(templates.LoadConfig, templates.load_config),
        _tool(talk.Remember, talk.remember),
        _tool(explain.Explain, explain.explain),
        _tool(EstimatePlan, estimate_plan, "estimate"),
        _tool(Recommend, recommend),
        _tool(TellData, tell_data),
        _tool(diagnose.Diagnose, diagnose.diagnose),
        _tool(diagnose.ApplyRemedy, diagnose.apply_remedy),
        _tool(talk.ShowPlan, talk.show_plan),
        _tool(talk.Undo, talk.undo),
        _tool(talk.Redo, talk.redo),
        _tool(talk.ShowChanges, talk.show_changes),
        _tool(talk.GoBack, talk.go_back),
        _tool(talk.Restart, talk.restart),
        _tool(talk.Skip, talk.skip),
        _tool(talk.YouChoose, talk.you_choose),
        _tool(runs.Launch, runs.launch),
        _tool(runs.Confirm, runs.confirm),
        _tool(runs.Rehearse, runs.rehearse),
        _tool(talk.Decline, talk.decline),
        _tool(runs.RunStatus, runs.run_status),
        _tool(runs.StopRun, runs.stop_run),
        _tool(runs.CompareOutputs, runs.compare_outputs),
        _tool(results.ShowResult, results.show_result),
        _tool(results.ExportRun, results.export_run),
        _tool(results.UploadAdapter, results.upload_adapter),
        _tool(results.SyncTracker, results.sync_tracker),
        _tool(results.ResumeRun, results.resume_run),
        _tool(doctor.AskRun, doctor.ask_run),
        _tool(doctor.OrderRun, doctor.order_run),
        _tool(doctor.ChangeRun, doctor.change_run),
        _tool(doctor.ApplyChange, doctor.apply_change),
        _tool(doctor.LayBeside, doctor.lay_beside),
        _tool(standing.StopWhen, standing.stop_when),
        _tool(standing.KeepOrder, standing.keep_order),
        _tool(talk.SmallTalk, talk.small_talk),
        _tool(talk.Clarify, talk.clarify),
        _tool(talk.NotUnderstood, talk.not_understood),
    )
}
