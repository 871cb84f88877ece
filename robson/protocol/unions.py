"""Every request as one type: what changes something, and all."""

from robson.protocol import charting, oversight, requests, telling

AnyMutation = (
    requests.ArmRequest
    | requests.SignalRequest
    | requests.DisarmRequest
    | requests.CloseRequest
    | oversight.AdjustRequest
    | requests.AdoptRequest
    | requests.ReleaseRequest
    | requests.PanicRequest
    | requests.ResumeRequest
    | oversight.PauseRequest
    | oversight.UnpauseRequest
    | telling.NotifyTestRequest
)
AnyQuery = (
    requests.HelloRequest
    | requests.PingRequest
    | requests.SchemaRequest
    | requests.HelpRequest
    | oversight.VersionRequest
    | requests.HealthRequest
    | requests.StatusRequest
    | oversight.ShowRequest
    | oversight.WhyRequest
    | charting.ChartRequest
    | requests.PlanRequest
    | requests.PanicPreviewRequest
    | oversight.JournalRequest
    | telling.NotifyStatusRequest
    | requests.EventsRequest
)
AnyRequest = AnyMutation | AnyQuery | requests.SubscribeRequest
