-- While a store is rebuilt from its log, its changes are no events.
DROP TRIGGER "{schema}"."{name}_event_insert";
DROP TRIGGER "{schema}"."{name}_event_update";
DROP TRIGGER "{schema}"."{name}_event_delete";
