package ui

import "dagwright/reason"

// reasonWords are the reasons in Russian: the place of each argument is %s, in the
// order of the English sentence, and %v where the argument is a state, which is put
// into words. A test demands a line for each code.
var reasonWords = map[reason.Code]string{
	// words that are not dagwright's
	reason.Text: "%s",

	// why a run or a task has not started
	reason.AboutToStart:     "вот-вот начнётся или ждёт свободного слота на инстансе",
	reason.WaitsForRunSlot:  "ждёт окончания активного запуска (лимит %s)",
	reason.WaitsForTaskSlot: "ждёт окончания одной из идущих тасок запуска (лимит %s)",
	reason.WaitsForBackfill: "ждёт своей очереди в бэкфилле",
	reason.WaitsForRun:      "ждёт начала своего запуска",
	reason.WaitsForTasks:    "ждёт: %s",
	reason.WaitsForLease:    "ждёт, пока база данных подтвердит, что работу не взял на себя другой dagwright",
	reason.WaitsForLogSpace: "ждёт места: на диске с логами его почти не осталось",
	reason.UnknownTask:      "в DAG-е нет такой таски",

	// what a trigger rule says
	reason.NoUpstream:      "ни от чего не зависит",
	reason.RuleAlways:      "условие запуска always ничего не требует",
	reason.RuleMet:         "условие запуска %s выполнено",
	reason.RuleFailed:      "условие запуска %s невыполнимо: %s",
	reason.UpstreamRemoved: "таски, которых она ждёт, удалены",
	reason.NoneSucceeded:   "ни одна таска до неё не успешна",
	reason.NoneFailed:      "ни одна таска до неё не завершилась ошибкой",
	reason.NoneDone:        "ни одна таска до неё не завершилась ни успехом, ни ошибкой",
	reason.TaskIs:          "%s (%v)",
	reason.TaskNotStarted:  "%s (не начата)",
	reason.Both:            "%s, %s",
	reason.AndMore:         "%s и ещё %s",

	// how an attempt ended
	reason.ExitCode:       "код выхода %s",
	reason.ExitCodeSkips:  "код выхода %s указан в skip_on_exit_code",
	reason.CommandMissing: "код выхода 127: команда не найдена",
	reason.KilledBy:       "прервана сигналом %s",
	reason.KilledByCode:   "прервана сигналом %s, код выхода %s",
	reason.LogEnds:        "%s; конец лога: %s",
	reason.Ended:          "завершена",
	reason.AfterStop:      "%s после остановки",
	reason.Lost:           "потеряна: после перезапуска от попытки не осталось следов",
	reason.Vanished:       "процесс исчез без кода выхода: его прервали извне или машина выключилась",

	// how a run ended
	reason.TaskFailed: "таска %s завершилась ошибкой (%s)",
	reason.RunTimeout: "запуск длился дольше своего dagrun_timeout: %s",

	// what people did
	reason.TaskMarkedSuccess: "помечена как успешная пользователем %s",
	reason.TaskMarkedFailed:  "помечена как упавшая пользователем %s",
	reason.TaskMarkedSkipped: "помечена как пропущенная пользователем %s",
	reason.RunMarkedSuccess:  "запуск помечен как успешный пользователем %s",
	reason.RunMarkedFailed:   "запуск помечен как упавший пользователем %s",
	reason.WithRunSuccess:    "запуск помечен как успешный пользователем %s",
	reason.WithRunFailed:     "запуск помечен как упавший пользователем %s",
	reason.Cancelled:         "прервана пользователем %s",
	reason.Cleared:           "перезапущена пользователем %s",
	reason.BackfillCancelled: "бэкфилл отменил пользователь %s",
	reason.IDTaken:           "имя DAG-а перешло к другому проекту или файлу",

	// how an attempt was stopped
	reason.Stopped:              "остановлена",
	reason.TaskTimeout:          "длилась дольше своего execution_timeout: %s",
	reason.RunEnded:             "остановлена: запуск уже завершился (%v)",
	reason.StoppedBeforeStart:   "остановлена до начала",
	reason.StoppedBeforePod:     "остановлена раньше, чем создан под",
	reason.StoppedBeforeProcess: "остановлена раньше, чем запущен процесс",

	// why an attempt could not start
	reason.NotStarted:      "не начата: %s",
	reason.NeverStarts:     "не начата и не будет повторяться, потому что любая попытка закончится так же: %s",
	reason.TriedAgain:      "повторяем: %s",
	reason.CommandNotFound: "команда не найдена: %s",
	reason.CommandNoPath:   "команда не найдена: %s (PATH не задан)",
	reason.NotExecutable:   "команда не исполняемая: %s",
	reason.CannotRun:       "команда не запускается: %s: %s",

	// what a local process waits for
	reason.WaitsForRepository: "ждёт репозитория модели: получить его не удаётся",
	reason.WaitsForDisk:       "ждёт места на диске dagwright-а",
	reason.WaitsForMemory:     "ждёт памяти или свободного процесса на машине dagwright-а",
	reason.WaitsForDescriptor: "ждёт свободного файлового дескриптора на машине dagwright-а",

	// what a pod waits for
	reason.WaitsForNode:       "ждёт узла",
	reason.WaitsForKubelet:    "ждёт, пока узел примет под",
	reason.WaitsForKubernetes: "ждёт Kubernetes",
	reason.WaitsForQuota:      "ждёт квоту",
	reason.WaitsInLine:        "ждёт квоту: перед ней в очереди другие",
	reason.NoNode:             "ни один узел не может принять под: %s",
	reason.ContainerCreating:  "контейнер создаётся",
	reason.ContainerWaiting:   "контейнер не запущен",
	reason.ContainerConfig:    "настройки контейнера неполны",
	reason.ImagePull:          "образ не скачивается",
	reason.ImageNeverPulled:   "образа нет на узле, а image_pull_policy — Never",
	reason.ImageName:          "неверное имя образа",
	reason.InitRunning:        "работает init-контейнер %s",
	reason.InInit:             "init-контейнер %s: %s",
	reason.NotScheduledWithin: "не нашёл узла за %s: %s",
	reason.NotStartedWithin:   "не начат за %s: %s",
	reason.PodDeleting:        "под удаляется",

	// how a pod ended
	reason.OutOfMemory:     "не хватило памяти: контейнер прерван на пределе",
	reason.OutOfMemoryOf:   "не хватило памяти: контейнер прерван на пределе %s",
	reason.InitOutOfMemory: "не хватило памяти: прерван на пределе",
	reason.ContainerFailed: "контейнер нельзя запустить",
	reason.Deadline:        "работал дольше своего active_deadline_seconds",
	reason.DeadlineOf:      "работал дольше своего active_deadline_seconds: %s",
	reason.Evicted:         "вытеснен с узла",
	reason.Preempted:       "вытеснен подом с высшим приоритетом",
	reason.Tainted:         "удалён из-за taint-а узла, который, возможно, потерян",
	reason.NodeGone:        "его узла больше нет",
	reason.NodeLost:        "его узел потерян",
	reason.NodeShutDown:    "его узел выключен",
	reason.EndedByNode:     "завершён узлом",
	reason.Unschedulable:   "не находит узла",
	reason.NodeUnfit:       "узел не подошёл поду",
	reason.NodeRefused:     "узел не смог принять под",
	reason.NodeFull:        "на узле не было места для пода",
	reason.NodeSilent:      "узел %s потерян: он не подтвердил завершение удалённого пода",
	reason.Disrupted:       "завершён Kubernetes",
	reason.PodDeleted:      "под удалён извне, не dagwright-ом",
	reason.PodGone:         "пода нет: его удалили вместе с finalizer-ом, который хранил результат",
	reason.PodNeverRan:     "под завершился раньше, чем начал работать контейнер",
	reason.EndedBefore:     "уже завершена: лог полон, пода больше нет",
	reason.PodIsForeign:    "под %s/%s уже есть, но создал его не dagwright; удалите его и перезапустите таску (Clear)",
	reason.PodRefused:      "Kubernetes не принимает под",
	reason.PodForbidden:    "у dagwright-а нет права создать под",

	// what of the instance does not work
	reason.KubernetesNeverAnswered: "таски не запускаются и не отслеживаются: после запуска dagwright Kubernetes ещё не ответил",
	reason.KubernetesAway:          "таски не запускаются и не отслеживаются: Kubernetes не отвечает с %s: %s",
	reason.PodsOfAnotherDatabase:   "поды с тем же kubernetes.instance (%s, например %s/%s) принадлежат другой базе данных, dagwright их не трогает",
	reason.NoAnswer:                "нет ответа в течение %s с",
	reason.LogSpaceUnknown:         "не удаётся узнать, сколько места на диске с логами",
	reason.LogSpaceShort:           "таски не запускаются: на диске с логами осталось %s МиБ, а свободными должны оставаться %s МиБ (logs.min_free)",
	reason.LogsCut:                 "большие логи обрезаются: логи занимают %s МиБ из разрешённых %s МиБ (logs.max_bytes)",
}
