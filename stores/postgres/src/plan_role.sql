-- The rights of jobs that only plan: they read everything, and write down which plans they showed, and nothing else.
-- Run it once, as the owner of `dax_state`, after the first command of dax has made that table.
CREATE ROLE dax_plan LOGIN;
-- Its password: \password dax_plan
GRANT SELECT, INSERT, DELETE ON dax_state TO dax_plan;
ALTER TABLE dax_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY dax_plan_reads ON dax_state FOR SELECT TO dax_plan USING (true);
CREATE POLICY dax_plan_keeps ON dax_state FOR INSERT TO dax_plan WITH CHECK (key LIKE 'reviews/%');
CREATE POLICY dax_plan_drops ON dax_state FOR DELETE TO dax_plan USING (key LIKE 'reviews/%');
-- The owner of the table is not bound by these. Any other role that applies needs both of the following:
-- GRANT SELECT, INSERT, UPDATE, DELETE ON dax_state TO dax_apply;
-- CREATE POLICY dax_apply_all ON dax_state TO dax_apply USING (true) WITH CHECK (true);
