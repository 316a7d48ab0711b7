BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'journal','0001_journal','2026-11-23 08:23:29.291300+00:00');
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, entry INTEGER NOT NULL,
    step TEXT NOT NULL CHECK (step <> ''), number INTEGER NOT NULL CHECK (number >= 1),
    status TEXT NOT NULL DEFAULT 'running'
        CHECK (status IN ('running', 'succeeded', 'failed', 'unknown', 'skipped')),
    started_at TEXT NOT NULL CHECK (started_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'), ended_at TEXT CHECK (ended_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    message TEXT NOT NULL DEFAULT '', decided TEXT NOT NULL DEFAULT '',
    UNIQUE (entry, step, number), UNIQUE (id, run),
    FOREIGN KEY (entry, run) REFERENCES track_entry (id, run),
    CHECK ((status = 'running') = (ended_at IS NULL)));
INSERT INTO "attempt" VALUES(1,'k2f9',1,'identify',1,'succeeded','2026-05-02T23:00:00.650000Z','2026-05-02T23:00:01.050000Z','','');
INSERT INTO "attempt" VALUES(2,'k2f9',1,'create-deployment',1,'failed','2026-05-02T23:00:01.250000Z','2026-05-02T23:00:10.850000Z','AWS throttled. Nothing was made. Try again.','');
INSERT INTO "attempt" VALUES(3,'k2f9',1,'create-deployment',2,'succeeded','2026-05-02T23:03:11.050000Z','2026-05-02T23:14:11.650000Z','it is AVAILABLE','ann');
INSERT INTO "attempt" VALUES(4,'k2f9',1,'switchover',1,'succeeded','2026-05-02T23:14:12.450000Z','2026-05-02T23:14:12.850000Z','','');
INSERT INTO "attempt" VALUES(5,'k2f9',2,'detach',1,'unknown','2026-05-03T00:19:13.750000Z','2026-05-03T00:19:14.350000Z','Whether it happened is not known.','');
INSERT INTO "attempt" VALUES(6,'k2f9',2,'detach',2,'succeeded','2026-05-03T00:19:14.550000Z','2026-05-03T00:19:15.150000Z','','');
INSERT INTO "attempt" VALUES(7,'m3xy',3,'create-deployment',1,'running','2026-05-02T23:00:00.650000Z',NULL,'','');
CREATE TABLE board (
    run TEXT PRIMARY KEY REFERENCES run (id), at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    value TEXT NOT NULL CHECK (json_valid(value)));
CREATE TABLE decision (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, entry INTEGER NOT NULL,
    step TEXT NOT NULL, gate TEXT NOT NULL, who TEXT NOT NULL CHECK (who <> ''),
    typed TEXT NOT NULL, at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    FOREIGN KEY (entry, run) REFERENCES track_entry (id, run));
INSERT INTO "decision" VALUES(1,'k2f9',1,'switchover','pivot','ann','orders','2026-05-02T23:14:12.250000Z');
CREATE TABLE effect (
    id INTEGER PRIMARY KEY AUTOINCREMENT, attempt INTEGER NOT NULL REFERENCES attempt (id),
    key TEXT NOT NULL CHECK (key <> ''), title TEXT NOT NULL, preview TEXT NOT NULL,
    intent_at TEXT NOT NULL CHECK (intent_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    outcome TEXT CHECK (outcome IN ('succeeded', 'failed', 'unknown', 'adopted')), outcome_at TEXT CHECK (outcome_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    detail TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(detail)),
    decided TEXT NOT NULL DEFAULT '',
    CHECK ((outcome IS NULL) = (outcome_at IS NULL)));
INSERT INTO "effect" VALUES(1,2,'bp-k2f9','Create deployment bp-k2f9','rds.CreateBlueGreenDeployment(
  BlueGreenDeploymentName=''bp-k2f9'',
  MasterUserPassword=***,
)','2026-05-02T23:00:01.450000Z','failed','2026-05-02T23:00:10.650000Z','{"error": "Throttling | try `later`\nRate exceeded"}','');
INSERT INTO "effect" VALUES(2,3,'bp-k2f9','Create deployment bp-k2f9','```
fenced
```','2026-05-02T23:03:11.250000Z','adopted','2026-05-02T23:14:11.950000Z','{"error": "Its outcome was not seen.", "reason": "the list has it", "unknown_at": "2026-05-02T23:14:11.450000Z"}','ann');
INSERT INTO "effect" VALUES(3,5,'bp_k2f9_orders','Drop subscription `bp_k2f9|orders` [31m','ALTER SUBSCRIPTION "bp ``k2f9``" DISABLE;
DROP SUBSCRIPTION "bp ``k2f9``";','2026-05-03T00:19:13.950000Z','unknown','2026-05-03T00:19:14.150000Z','{"error": "the connection was lost"}','');
INSERT INTO "effect" VALUES(4,6,'bp_k2f9_orders','Drop subscription','','2026-05-03T00:19:14.750000Z','adopted','2026-05-03T00:19:14.950000Z','{"seen": "it is gone"}','');
INSERT INTO "effect" VALUES(5,7,'bp-m3xy','Create deployment bp-m3xy','rds.CreateBlueGreenDeployment()','2026-05-02T23:00:00.850000Z',NULL,NULL,'{}','');
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'), kind TEXT NOT NULL CHECK (kind <> ''), text TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data)));
INSERT INTO "event" VALUES(1,'k2f9','2026-05-02T23:00:00.550000Z','run','run: k2f9 of cluster orders | `prod` starts on upgrade','{}');
INSERT INTO "event" VALUES(2,'k2f9','2026-05-02T23:00:00.750000Z','attempt','step: identify begins','{"attempt": 1}');
INSERT INTO "event" VALUES(3,'k2f9','2026-05-02T23:00:00.950000Z','evidence','seen: orders is 16.14, of 2 instances','{"evidence": 1, "step": "identify"}');
INSERT INTO "event" VALUES(4,'k2f9','2026-05-02T23:00:01.150000Z','attempt','step: identify succeeded','{"attempt": 1, "step": "identify", "status": "succeeded"}');
INSERT INTO "event" VALUES(5,'k2f9','2026-05-02T23:00:01.350000Z','attempt','step: create-deployment begins','{"attempt": 2}');
INSERT INTO "event" VALUES(6,'k2f9','2026-05-02T23:00:01.550000Z','effect','intent: Create deployment bp-k2f9','{"effect": 1, "key": "bp-k2f9"}');
INSERT INTO "event" VALUES(7,'k2f9','2026-05-02T23:00:10.750000Z','effect','failed: Create deployment bp-k2f9: Throttling | try `later`
Rate exceeded','{"effect": 1, "key": "bp-k2f9", "outcome": "failed"}');
INSERT INTO "event" VALUES(8,'k2f9','2026-05-02T23:00:10.950000Z','attempt','step: create-deployment failed: AWS throttled. Nothing was made. Try again.','{"attempt": 2, "step": "create-deployment", "status": "failed"}');
INSERT INTO "event" VALUES(9,'k2f9','2026-05-02T23:03:11.150000Z','attempt','step: create-deployment begins, attempt 2','{"attempt": 3}');
INSERT INTO "event" VALUES(10,'k2f9','2026-05-02T23:03:11.350000Z','effect','intent: Create deployment bp-k2f9','{"effect": 2, "key": "bp-k2f9"}');
INSERT INTO "event" VALUES(11,'k2f9','2026-05-02T23:14:11.550000Z','effect','unknown: Create deployment bp-k2f9','{"effect": 2, "key": "bp-k2f9", "outcome": "unknown"}');
INSERT INTO "event" VALUES(12,'k2f9','2026-05-02T23:14:11.750000Z','attempt','step: create-deployment unknown: The process that tried it ended meanwhile.','{"attempt": 3, "step": "create-deployment", "status": "unknown"}');
INSERT INTO "event" VALUES(13,'k2f9','2026-05-02T23:14:11.850000Z','open','opened by ann','{}');
INSERT INTO "event" VALUES(14,'k2f9','2026-05-02T23:14:12.050000Z','decision','decided by ann: Create deployment bp-k2f9 adopted (the list has it)','{"effect": 2, "key": "bp-k2f9", "outcome": "adopted", "who": "ann"}');
INSERT INTO "event" VALUES(15,'k2f9','2026-05-02T23:14:12.150000Z','decision','decided by ann: step create-deployment succeeded (it is AVAILABLE)','{"attempt": 3, "who": "ann"}');
INSERT INTO "event" VALUES(16,'k2f9','2026-05-02T23:14:12.350000Z','decision','decision: ann said yes to pivot at switchover','{"gate": "pivot", "step": "switchover", "who": "ann"}');
INSERT INTO "event" VALUES(17,'k2f9','2026-05-02T23:14:12.550000Z','attempt','step: switchover begins','{"attempt": 4}');
INSERT INTO "event" VALUES(18,'k2f9','2026-05-02T23:14:12.750000Z','evidence','seen: guardrails passed','{"evidence": 2, "step": "switchover"}');
INSERT INTO "event" VALUES(19,'k2f9','2026-05-02T23:14:12.950000Z','attempt','step: switchover succeeded','{"attempt": 4, "step": "switchover", "status": "succeeded"}');
INSERT INTO "event" VALUES(20,'k2f9','2026-05-02T23:14:13.150000Z','protection','protected: capture held, blue prime applying','{}');
INSERT INTO "event" VALUES(21,'k2f9','2026-05-02T23:14:13.250000Z','wait','a heartbeat that nobody wants to read','{}');
INSERT INTO "event" VALUES(22,'k2f9','2026-05-02T23:14:13.350000Z','run','run: rests as protected','{}');
INSERT INTO "event" VALUES(23,'k2f9','2026-05-03T00:19:13.450000Z','run','run: under way again','{}');
INSERT INTO "event" VALUES(24,'k2f9','2026-05-03T00:19:13.650000Z','track','track: upgrade -> rollback, blue-prime (<slow> *since* 23:20)','{"from": "upgrade", "to": "rollback", "way": "blue-prime"}');
INSERT INTO "event" VALUES(25,'k2f9','2026-05-03T00:19:13.850000Z','attempt','step: detach begins','{"attempt": 5}');
INSERT INTO "event" VALUES(26,'k2f9','2026-05-03T00:19:14.050000Z','effect','intent: Drop subscription `bp_k2f9|orders` [31m','{"effect": 3, "key": "bp_k2f9_orders"}');
INSERT INTO "event" VALUES(27,'k2f9','2026-05-03T00:19:14.250000Z','effect','unknown: Drop subscription `bp_k2f9|orders` [31m: the connection was lost','{"effect": 3, "key": "bp_k2f9_orders", "outcome": "unknown"}');
INSERT INTO "event" VALUES(28,'k2f9','2026-05-03T00:19:14.450000Z','attempt','step: detach unknown: Whether it happened is not known.','{"attempt": 5, "step": "detach", "status": "unknown"}');
INSERT INTO "event" VALUES(29,'k2f9','2026-05-03T00:19:14.650000Z','attempt','step: detach begins, attempt 2','{"attempt": 6}');
INSERT INTO "event" VALUES(30,'k2f9','2026-05-03T00:19:14.850000Z','effect','intent: Drop subscription','{"effect": 4, "key": "bp_k2f9_orders"}');
INSERT INTO "event" VALUES(31,'k2f9','2026-05-03T00:19:15.050000Z','effect','already there: Drop subscription','{"effect": 4, "key": "bp_k2f9_orders", "outcome": "adopted"}');
INSERT INTO "event" VALUES(32,'k2f9','2026-05-03T00:19:15.250000Z','attempt','step: detach succeeded','{"attempt": 6, "step": "detach", "status": "succeeded"}');
INSERT INTO "event" VALUES(33,'k2f9','2026-05-03T00:19:15.350000Z','note','told the team','{}');
INSERT INTO "event" VALUES(34,'k2f9','2026-05-03T00:19:15.650000Z','evidence','seen: 12 writers are back','{"evidence": 5, "step": "resume-traffic"}');
INSERT INTO "event" VALUES(35,'k2f9','2026-05-03T00:19:15.850000Z','run','run: closed, rolled_back','{"result": "rolled_back"}');
INSERT INTO "event" VALUES(36,'m3xy','2026-05-02T23:00:00.550000Z','run','run: m3xy of cluster billing starts on upgrade','{}');
INSERT INTO "event" VALUES(37,'m3xy','2026-05-02T23:00:00.750000Z','attempt','step: create-deployment begins','{"attempt": 7}');
INSERT INTO "event" VALUES(38,'m3xy','2026-05-02T23:00:00.950000Z','effect','intent: Create deployment bp-m3xy','{"effect": 5, "key": "bp-m3xy"}');
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    attempt INTEGER, step TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)), at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    FOREIGN KEY (attempt, run) REFERENCES attempt (id, run));
INSERT INTO "evidence" VALUES(1,'k2f9',1,'identify','','orders is 16.14, of 2 instances','null','2026-05-02T23:00:00.850000Z');
INSERT INTO "evidence" VALUES(2,'k2f9',NULL,'switchover','downtime.upgrade','guardrails passed','{"started_at": "2026-05-02T23:15:02.500000Z", "ended_at": "2026-05-02T23:15:09.900000Z", "seconds": 7.4}','2026-05-02T23:14:12.650000Z');
INSERT INTO "evidence" VALUES(3,'k2f9',NULL,'capture','slots','','["bp_k2f9_orders"]','2026-05-02T23:14:13.050000Z');
INSERT INTO "evidence" VALUES(4,'k2f9',NULL,'resume-traffic','slots','','[]','2026-05-03T00:19:15.450000Z');
INSERT INTO "evidence" VALUES(5,'k2f9',NULL,'resume-traffic','downtime.rollback','12 writers are back','{"started_at": "2026-05-03T00:21:00.000000Z", "ended_at": null, "seconds": null}','2026-05-03T00:19:15.550000Z');
CREATE TABLE run (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE CHECK (id <> ''),
    cluster TEXT NOT NULL, cluster_resource_id TEXT NOT NULL CHECK (cluster_resource_id <> ''),
    account TEXT NOT NULL, region TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('aws', 'rehearsal')),
    plan TEXT NOT NULL CHECK (json_valid(plan)), plan_path TEXT NOT NULL,
    started_at TEXT NOT NULL CHECK (started_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    result TEXT CHECK (result IN ('protected', 'rolled_back', 'committed', 'aborted', 'cleaned', 'failed')),
    closed_at TEXT CHECK (closed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
    CHECK (closed_at IS NULL OR result IS NOT NULL));
INSERT INTO "run" VALUES(1,'k2f9','orders | `prod`','cluster-A','471100000815','us-east-1','rehearsal','{"cluster": {"name": "orders | `prod`"}, "connect": {"password": "env:ORDERS_PASSWORD"}}','/plans/orders.toml','2026-05-02T23:00:00.350000Z','rolled_back','2026-05-03T00:19:15.750000Z');
INSERT INTO "run" VALUES(2,'m3xy','billing','cluster-B','471100000815','us-east-1','rehearsal','{"cluster": {"name": "billing"}, "connect": {"password": "env:ORDERS_PASSWORD"}}','/plans/orders.toml','2026-05-02T23:00:00.350000Z',NULL,NULL);
CREATE TABLE sample (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'), kind TEXT NOT NULL CHECK (kind <> ''), subject TEXT NOT NULL,
    value REAL CHECK (value IS NULL OR typeof(value) = 'real'));
INSERT INTO "sample" VALUES(1,'k2f9','2026-05-02T23:14:13.350000Z','lag_bytes','bp_k2f9_orders',0.0);
INSERT INTO "sample" VALUES(2,'k2f9','2026-05-02T23:14:14.350000Z','lag_bytes','bp_k2f9_orders',1258291.2);
INSERT INTO "sample" VALUES(3,'k2f9','2026-05-02T23:14:15.350000Z','lag_bytes','bp_k2f9_orders',NULL);
INSERT INTO "sample" VALUES(4,'k2f9','2026-05-02T23:14:13.350000Z','lag_seconds','bp_k2f9_orders',NULL);
CREATE TABLE track_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES run (id),
    track TEXT NOT NULL CHECK (track IN ('upgrade', 'abort', 'rollback', 'commit', 'cleanup')),
    way TEXT NOT NULL, from_step TEXT NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'), UNIQUE (id, run));
INSERT INTO "track_entry" VALUES(1,'k2f9','upgrade','','','','2026-05-02T23:00:00.450000Z');
INSERT INTO "track_entry" VALUES(2,'k2f9','rollback','blue-prime','bake','<slow> *since* 23:20','2026-05-03T00:19:13.550000Z');
INSERT INTO "track_entry" VALUES(3,'m3xy','upgrade','','','','2026-05-02T23:00:00.450000Z');
CREATE TABLE writer (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    host TEXT NOT NULL, pid INTEGER NOT NULL, user TEXT NOT NULL,
    process_start TEXT NOT NULL, since TEXT NOT NULL CHECK (since GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'));
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX run_open ON run (cluster_resource_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX attempt_open ON attempt (run) WHERE ended_at IS NULL;
CREATE INDEX track_entry_of_run ON track_entry (run, id);
CREATE INDEX attempt_of_run ON attempt (run, id);
CREATE INDEX effect_of_attempt ON effect (attempt, id);
CREATE INDEX decision_of_run ON decision (run, id);
CREATE INDEX evidence_of_run ON evidence (run, step, id);
CREATE INDEX evidence_of_key ON evidence (run, key, id);
CREATE INDEX event_of_run ON event (run, id);
CREATE INDEX sample_of_run ON sample (run, kind, at);
CREATE TRIGGER run_stays BEFORE DELETE ON run FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'run: nothing is deleted'); END;
CREATE TRIGGER run_once BEFORE INSERT ON run FOR EACH ROW WHEN EXISTS (SELECT 1 FROM run WHERE seq = NEW.seq) BEGIN SELECT RAISE(ABORT, 'run: this row exists'); END;
CREATE TRIGGER run_id_once BEFORE INSERT ON run FOR EACH ROW WHEN EXISTS (SELECT 1 FROM run WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'run: this id exists'); END;
CREATE TRIGGER run_one_open BEFORE INSERT ON run FOR EACH ROW WHEN NEW.closed_at IS NULL AND EXISTS (SELECT 1 FROM run WHERE closed_at IS NULL AND cluster_resource_id = NEW.cluster_resource_id AND id <> NEW.id) BEGIN SELECT RAISE(ABORT, 'run: one is open for the cluster'); END;
CREATE TRIGGER run_one_reopened BEFORE UPDATE ON run FOR EACH ROW WHEN NEW.closed_at IS NULL AND EXISTS (SELECT 1 FROM run WHERE closed_at IS NULL AND cluster_resource_id = NEW.cluster_resource_id AND id <> NEW.id) BEGIN SELECT RAISE(ABORT, 'run: one is open for the cluster'); END;
CREATE TRIGGER run_fixed BEFORE UPDATE ON run FOR EACH ROW WHEN (NEW.seq IS NOT OLD.seq OR NEW.id IS NOT OLD.id OR NEW.cluster IS NOT OLD.cluster OR NEW.cluster_resource_id IS NOT OLD.cluster_resource_id OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region OR NEW.environment IS NOT OLD.environment OR NEW.plan IS NOT OLD.plan OR NEW.plan_path IS NOT OLD.plan_path OR NEW.started_at IS NOT OLD.started_at) BEGIN SELECT RAISE(ABORT, 'run: fixed'); END;
CREATE TRIGGER run_close_ends BEFORE UPDATE OF closed_at ON run FOR EACH ROW WHEN NEW.closed_at IS NOT NULL AND EXISTS (SELECT 1 FROM attempt WHERE run = NEW.id AND ended_at IS NULL) BEGIN SELECT RAISE(ABORT, 'run: an attempt is open'); END;
CREATE TRIGGER track_entry_stays BEFORE DELETE ON track_entry FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'track_entry: nothing is deleted'); END;
CREATE TRIGGER track_entry_once BEFORE INSERT ON track_entry FOR EACH ROW WHEN EXISTS (SELECT 1 FROM track_entry WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'track_entry: this row exists'); END;
CREATE TRIGGER track_entry_fixed BEFORE UPDATE ON track_entry FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'track_entry: nothing is changed'); END;
CREATE TRIGGER track_entry_between BEFORE INSERT ON track_entry FOR EACH ROW WHEN EXISTS (SELECT 1 FROM attempt WHERE run = NEW.run AND ended_at IS NULL) OR NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND closed_at IS NULL) BEGIN SELECT RAISE(ABORT, 'track_entry: an attempt is open, or the run is closed'); END;
CREATE TRIGGER attempt_stays BEFORE DELETE ON attempt FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'attempt: nothing is deleted'); END;
CREATE TRIGGER attempt_once BEFORE INSERT ON attempt FOR EACH ROW WHEN EXISTS (SELECT 1 FROM attempt WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'attempt: this row exists'); END;
CREATE TRIGGER attempt_number_once BEFORE INSERT ON attempt FOR EACH ROW WHEN EXISTS (SELECT 1 FROM attempt WHERE entry = NEW.entry AND step = NEW.step AND number = NEW.number) BEGIN SELECT RAISE(ABORT, 'attempt: this number exists'); END;
CREATE TRIGGER attempt_one_open BEFORE INSERT ON attempt FOR EACH ROW WHEN EXISTS (SELECT 1 FROM attempt WHERE run = NEW.run AND ended_at IS NULL) BEGIN SELECT RAISE(ABORT, 'attempt: one is open'); END;
CREATE TRIGGER attempt_in_run BEFORE INSERT ON attempt FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND closed_at IS NULL) BEGIN SELECT RAISE(ABORT, 'attempt: the run is closed'); END;
CREATE TRIGGER attempt_fixed BEFORE UPDATE ON attempt FOR EACH ROW WHEN (NEW.id IS NOT OLD.id OR NEW.run IS NOT OLD.run OR NEW.entry IS NOT OLD.entry OR NEW.step IS NOT OLD.step OR NEW.number IS NOT OLD.number OR NEW.started_at IS NOT OLD.started_at) BEGIN SELECT RAISE(ABORT, 'attempt: fixed'); END;
CREATE TRIGGER attempt_ends_once BEFORE UPDATE ON attempt FOR EACH ROW WHEN OLD.ended_at IS NOT NULL AND NOT (OLD.status = 'unknown' AND NEW.status IN ('succeeded', 'failed') AND OLD.decided = '' AND NEW.decided <> '') BEGIN SELECT RAISE(ABORT, 'attempt: it has ended'); END;
CREATE TRIGGER attempt_leaves_no_intent BEFORE UPDATE ON attempt FOR EACH ROW WHEN NEW.ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM effect WHERE attempt = NEW.id AND outcome IS NULL) BEGIN SELECT RAISE(ABORT, 'attempt: an effect has no outcome'); END;
CREATE TRIGGER attempt_succeeds_whole BEFORE UPDATE ON attempt FOR EACH ROW WHEN NEW.status IN ('succeeded', 'skipped') AND EXISTS (SELECT 1 FROM effect WHERE attempt = NEW.id AND outcome IN ('failed', 'unknown')) BEGIN SELECT RAISE(ABORT, 'attempt: an effect failed or is unknown'); END;
CREATE TRIGGER effect_stays BEFORE DELETE ON effect FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'effect: nothing is deleted'); END;
CREATE TRIGGER effect_once BEFORE INSERT ON effect FOR EACH ROW WHEN EXISTS (SELECT 1 FROM effect WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'effect: this row exists'); END;
CREATE TRIGGER effect_in_attempt BEFORE INSERT ON effect FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM attempt WHERE id = NEW.attempt AND ended_at IS NULL) BEGIN SELECT RAISE(ABORT, 'effect: its attempt is not open'); END;
CREATE TRIGGER effect_intent_first BEFORE INSERT ON effect FOR EACH ROW WHEN NEW.outcome IS NOT NULL BEGIN SELECT RAISE(ABORT, 'effect: the intent comes first'); END;
CREATE TRIGGER effect_fixed BEFORE UPDATE ON effect FOR EACH ROW WHEN (NEW.id IS NOT OLD.id OR NEW.attempt IS NOT OLD.attempt OR NEW.key IS NOT OLD.key OR NEW.title IS NOT OLD.title OR NEW.preview IS NOT OLD.preview OR NEW.intent_at IS NOT OLD.intent_at) BEGIN SELECT RAISE(ABORT, 'effect: fixed'); END;
CREATE TRIGGER effect_outcome_once BEFORE UPDATE ON effect FOR EACH ROW WHEN OLD.outcome IS NOT NULL AND NOT (OLD.outcome = 'unknown' AND NEW.outcome IN ('succeeded', 'failed', 'adopted') AND OLD.decided = '' AND NEW.decided <> '') BEGIN SELECT RAISE(ABORT, 'effect: it has an outcome'); END;
CREATE TRIGGER decision_stays BEFORE DELETE ON decision FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'decision: nothing is deleted'); END;
CREATE TRIGGER decision_once BEFORE INSERT ON decision FOR EACH ROW WHEN EXISTS (SELECT 1 FROM decision WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'decision: this row exists'); END;
CREATE TRIGGER decision_fixed BEFORE UPDATE ON decision FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'decision: nothing is changed'); END;
CREATE TRIGGER evidence_stays BEFORE DELETE ON evidence FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'evidence: nothing is deleted'); END;
CREATE TRIGGER evidence_once BEFORE INSERT ON evidence FOR EACH ROW WHEN EXISTS (SELECT 1 FROM evidence WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'evidence: this row exists'); END;
CREATE TRIGGER evidence_fixed BEFORE UPDATE ON evidence FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'evidence: nothing is changed'); END;
CREATE TRIGGER event_stays BEFORE DELETE ON event FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'event: nothing is deleted'); END;
CREATE TRIGGER event_once BEFORE INSERT ON event FOR EACH ROW WHEN EXISTS (SELECT 1 FROM event WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'event: this row exists'); END;
CREATE TRIGGER event_fixed BEFORE UPDATE ON event FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'event: nothing is changed'); END;
CREATE TRIGGER sample_stays BEFORE DELETE ON sample FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'sample: nothing is deleted'); END;
CREATE TRIGGER sample_once BEFORE INSERT ON sample FOR EACH ROW WHEN EXISTS (SELECT 1 FROM sample WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'sample: this row exists'); END;
CREATE TRIGGER sample_fixed BEFORE UPDATE ON sample FOR EACH ROW WHEN 1 BEGIN SELECT RAISE(ABORT, 'sample: nothing is changed'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',2);
INSERT INTO "sqlite_sequence" VALUES('track_entry',3);
INSERT INTO "sqlite_sequence" VALUES('event',38);
INSERT INTO "sqlite_sequence" VALUES('attempt',7);
INSERT INTO "sqlite_sequence" VALUES('evidence',5);
INSERT INTO "sqlite_sequence" VALUES('effect',5);
INSERT INTO "sqlite_sequence" VALUES('decision',1);
INSERT INTO "sqlite_sequence" VALUES('sample',4);
COMMIT;
